"""Count the bytes of the tensors that live in this process, without collecting any."""

from __future__ import annotations

import gc
from typing import assert_never

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch._subclasses.functional_tensor import FunctionalTensor

from search_spaces.worker_contract import Device


def live_bytes(device: Device) -> int:
    """Return the bytes of all living tensors on a device: what torch has allocated on a GPU, storages on a CPU."""
    match device:
        case "cuda":
            torch.cuda.synchronize()
            return torch.cuda.memory_allocated()
        case "cpu":
            tensors = [item for item in gc.get_objects() if issubclass(type(item), torch.Tensor)]
            storages = (tensor.untyped_storage() for tensor in tensors if _has_memory(tensor))
            return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
        case _:
            assert_never(device)


def _has_memory(tensor: torch.Tensor) -> bool:
    """Check that a tensor has bytes of its own: a compiler's tensors stand for sizes alone."""
    return tensor.layout == torch.strided and not isinstance(tensor, FakeTensor | FunctionalTensor)
