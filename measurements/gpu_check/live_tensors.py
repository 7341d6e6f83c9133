"""Count the bytes of the tensors that live in this process, without collecting any."""

from __future__ import annotations

import gc
from typing import assert_never

import torch

from search_spaces.worker_contract import Device


def live_bytes(device: Device) -> int:
    """Return the bytes of all living tensors on a device: what torch has allocated on a GPU, storages on a CPU."""
    match device:
        case "cuda":
            torch.cuda.synchronize()
            return torch.cuda.memory_allocated()
        case "cpu":
            tensors = [item for item in gc.get_objects() if issubclass(type(item), torch.Tensor)]
            storages = (tensor.untyped_storage() for tensor in tensors if tensor.layout == torch.strided)
            return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
        case _:
            assert_never(device)
