"""What autograd keeps of a forward pass, as it really does: the measure of every claim about activations."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch


def saved_bytes(run: Callable[[], object], ignored: Iterable[torch.Tensor]) -> int:
    """Return the bytes that `run` keeps for the backward pass: each storage once, without those of `ignored`."""
    weights = {tensor.untyped_storage().data_ptr() for tensor in ignored}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    alive = []
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        alive.append(run())
    return sum(kept.values())
