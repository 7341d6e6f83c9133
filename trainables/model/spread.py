"""One rank reads or draws the weights of a model, all others get them from it: no rank holds more than it keeps.

Rank 0 makes the model as if it were alone, so that its weights are the very ones of a single process, however they come
about: a checkpoint, draws from a seed, a stage before. The others get the bare structure, whose weights take no memory,
and then every layer's weights, one layer after the other, each of them in its final precision and on its final device.
Where a layer's weights are to be kept in shares (ZeRO 3), `keep` cuts them up before the next layer comes.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from search_spaces.error_text import named_message

Parts = dict[str, nn.Module]
"""The modules of a model by name."""

Keep = Callable[[list[nn.Parameter]], None]


def spread(make: Callable[[], Parts], dtype: torch.dtype, device: torch.device, keep: Keep | None = None) -> Parts:
    """The modules that `make` returns on rank 0, on every rank, weights cast to `dtype`. A collective.

    Args:
        make: builds the modules; called on rank 0 only. If it raises, all ranks raise.
        dtype: of the weights; buffers stay as they are.
        device: where weights and buffers go.
        keep: called on all ranks with the weights of each layer that has just arrived.
    """
    rank, world = _place()
    parts = make() if world == 1 else _shared_structure(make, rank)
    done: set[nn.Parameter] = set()
    for part in parts.values():
        for layer in part.modules():
            own = [parameter for parameter in layer.parameters(recurse=False) if parameter not in done]
            arrive(own, dtype, device, keep)
            done.update(own)
            for name, buffer in layer.named_buffers(recurse=False):
                layer._buffers[name] = buffer.to(device)
    return parts


def _shared_structure(make: Callable[[], Parts], rank: int) -> Parts:
    """On rank 0 what `make` returns, on the others the same modules with weights of the right shape and no content."""
    message: list[Any] = [None]
    parts: Parts = {}
    failure: Exception | None = None
    if rank == 0:
        try:
            parts = make()
            message = [("structure", pickle.dumps(_hollow(parts)))]
        except Exception as error:
            failure = error
            message = [("failure", named_message(error))]
    dist.broadcast_object_list(message, src=0)
    if failure is not None:
        raise failure
    kind, content = message[0]
    if kind == "failure":
        raise RuntimeError(f"rank 0 could not build the model: {content}")
    return parts if rank == 0 else dict(pickle.loads(content))


def _hollow(parts: Parts) -> Parts:
    """A copy without weights: one number stands for all of a tensor's, tied tensors stay tied. Buffers are copied."""
    bare = {
        id(parameter): nn.Parameter(parameter.new_zeros(()).expand(parameter.shape), parameter.requires_grad)
        for part in parts.values()
        for parameter in part.parameters()
    }
    return copy.deepcopy(parts, memo=dict(bare))


def arrive(own: list[nn.Parameter], dtype: torch.dtype, device: torch.device, keep: Keep | None) -> None:
    """The weights of one layer: rank 0's, cast and moved there, received by the others, and cut up. A collective."""
    rank, world = _place()
    for parameter in own:
        if rank == 0:
            parameter.data = parameter.data.to(device, dtype)
        else:
            parameter.data = torch.empty(parameter.shape, dtype=dtype, device=device)
        if world > 1:
            dist.broadcast(parameter.data, 0)
    if own and keep is not None:
        keep(own)


def _place() -> tuple[int, int]:
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
