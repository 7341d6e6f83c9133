"""Claims about search_spaces/out_of_memory.py: texts as the libraries write them."""

from __future__ import annotations

import errno

import pyarrow as pa
import pytest
import torch

from search_spaces.errors import InputError
from search_spaces.full_storage import is_full
from search_spaces.out_of_memory import is_out_of_memory

NCCL = "NCCL error in: /pytorch/torch/csrc/distributed/c10d/NCCLUtils.cpp:94, {status}, NCCL version 2.27.5\n"


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of ..."),
        torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported", 2),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`"),
        RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"),
        RuntimeError("CUDA driver error: out of memory"),
        torch.distributed.DistBackendError(
            NCCL.format(status="unhandled cuda error") + "Last error:\nCuda failure 2 'out of memory'"
        ),
        torch.distributed.DistBackendError(
            NCCL.format(status="unhandled system error")
            + "Error while creating shared memory segment /dev/shm/nccl-Xb1sTn (size 9637888), error: No space left on"
            " device (28)"
        ),
        RuntimeError("unable to allocate shared memory(shm) for file </torch_812_7>: No space left on device (28)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
        RuntimeError("unable to mmap 8589934592 bytes from file <a.safetensors>: Cannot allocate memory (12)"),
        RuntimeError("std::bad_alloc"),
        MemoryError(),
        pa.ArrowMemoryError("malloc of size 9 failed"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        OSError(errno.ENOSPC, "No space left on device", "/dev/shm/psm_1a2b3c"),
    ],
    ids=lambda error: str(error)[:40] or type(error).__name__,
)
def test_error_of_exhausted_memory_is_told_and_is_no_full_storage(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert not is_full(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx(...)`"),
        RuntimeError("CUDA error: device-side assert triggered"),
        torch.distributed.DistBackendError(NCCL.format(status="remote process exited or there was a network error")),
        RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"),
        ValueError("the caption of record 3 is 'an elephant out of memory'"),
        InputError("a stage must fit its GPU, but it would run out of memory"),
        OSError(errno.ENOSPC, "No space left on device", "/mnt/storage/stages/x"),
        OSError(errno.EACCES, "Permission denied", "/dev/shm/x"),
    ],
    ids=lambda error: str(error)[:40],
)
def test_other_errors_are_none_of_memory(error: Exception) -> None:
    assert not is_out_of_memory(error)


def test_full_storage_stays_full() -> None:
    assert is_full(OSError(errno.ENOSPC, "No space left on device", "/mnt/storage/stages/x"))
    assert is_full(RuntimeError("I/O error: No space left on device (os error 28)"))


def test_cause_counts() -> None:
    error = KeyError("step")
    error.__cause__ = torch.OutOfMemoryError("CUDA out of memory.")
    assert is_out_of_memory(error)
