"""Broadcast a model from rank 0 to all ranks, layer by layer: no rank holds more weights than it keeps.

Rank 0 builds the model as a single process would, so that its weights are the same, be they from a checkpoint, a seed
or an earlier stage. The other ranks receive the structure without weights, which takes no memory, and then the weights
of one layer after the other, in their final precision and on their final device. Where a layer's weights are kept in
partitions (ZeRO 3), `partition` cuts them up before the next layer is sent.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import nn

from trainables.workers.process_group import from_rank_0

Parts = dict[str, nn.Module]
"""The modules of a model by name."""

Partition = Callable[[list[nn.Parameter]], None]
"""Cuts parameters that are equal on all ranks into a partition for each rank, in place."""


def broadcast_modules(
    make: Callable[[], Parts], dtype: torch.dtype, device: torch.device, partition: Partition | None = None
) -> Parts:
    """Build modules on rank 0 and broadcast them to every rank. A collective.

    Args:
        make: function that builds the modules; called on rank 0 only.
        dtype: type that weights are cast to; buffers keep theirs.
        device: device of weights and buffers.
        partition: called on all ranks with the weights of each layer when they are there.

    Returns:
        The modules by name, equal on all ranks.

    Raises:
        RuntimeError: `make` raised on rank 0; rank 0 itself raises the original error.
    """
    rank, world = _rank_and_world()
    parts = make() if world == 1 else _shared_structure(make, rank)
    done: set[nn.Parameter] = set()
    for part in parts.values():
        for layer in part.modules():
            own = [parameter for parameter in layer.parameters(recurse=False) if parameter not in done]
            broadcast_weights(own, dtype, device, partition)
            done.update(own)
            for name, buffer in layer.named_buffers(recurse=False):
                layer._buffers[name] = buffer.to(device)
    return parts


def _shared_structure(make: Callable[[], Parts], rank: int) -> Parts:
    """Build modules on rank 0; on the other ranks return the same modules, whose weights have shapes but no content."""
    parts: Parts = {}

    def build() -> bytes:
        parts.update(make())
        return pickle.dumps(_without_weights(parts))

    structure = from_rank_0(build)
    return parts if rank == 0 else dict(pickle.loads(structure))


def _without_weights(parts: Parts) -> Parts:
    """Copy modules without their weights: a tensor shares one value; tied tensors stay tied, buffers are copied."""
    placeholders = {
        id(parameter): nn.Parameter(parameter.new_zeros(()).expand(parameter.shape), parameter.requires_grad)
        for part in parts.values()
        for parameter in part.parameters()
    }
    return copy.deepcopy(parts, memo=dict(placeholders))


def broadcast_weights(
    parameters: list[nn.Parameter], dtype: torch.dtype, device: torch.device, partition: Partition | None
) -> None:
    """Broadcast the weights of a layer from rank 0, in place. A collective.

    Args:
        parameters: the layer's parameters, in the same order on all ranks; their values count on rank 0 only.
        dtype: type that they are cast to.
        device: device that they are moved to.
        partition: called with the parameters when they are there.
    """
    rank, world = _rank_and_world()
    for parameter in parameters:
        if rank == 0:
            parameter.data = parameter.data.to(device, dtype)
        else:
            parameter.data = torch.empty(parameter.shape, dtype=dtype, device=device)
        if world > 1:
            dist.broadcast(parameter.data, 0)
    if parameters and partition is not None:
        partition(parameters)


def _rank_and_world() -> tuple[int, int]:
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
