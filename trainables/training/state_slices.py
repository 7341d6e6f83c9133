"""Cut what an engine has learned into slices of its parameters, which an engine of any group puts together again.

DeepSpeed keeps fp32 masters and the optimizer's states in flat buffers, and cuts these by ZeRO stage and number of
workers. A slice is a run of elements of one named parameter, with its master and its states: it means the same to every
group. A file of slices belongs to the rank that writes it; a rank that reads takes of all files what lies in its own
buffers, and no more. DeepSpeed's universal checkpoint would be a second copy, converted from pickles by one process.

The weights that a model computes with are no part of it: they are the masters, rounded to the stage's precision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, assert_never

import torch
from torch import Tensor, nn

from trainables.training.state_files import TensorReader

ZeroStage = Literal[0, 1, 2, 3]

_MASTER = "master"
"""Name of a parameter's values among the tensors of a slice; the others are states of the optimizer."""

_STEP = "step"
"""AdamW's count of its steps: one number for a buffer, not one for an element."""


@dataclass(frozen=True)
class Place:
    """Where a run of elements of a parameter lies in a buffer."""

    name: str
    """Of the parameter."""
    start: int
    """Its first element, of the flattened parameter."""
    offset: int
    """The same element in the buffer."""
    size: int
    """Elements."""


@dataclass(frozen=True)
class Buffer:
    """Fp32 values that one rank updates: what the optimizer takes for one parameter."""

    parameter: Tensor
    """Key of the optimizer's states."""
    places: tuple[Place, ...]

    @property
    def values(self) -> Tensor:
        """The elements, one after another, in the memory of `parameter`."""
        return self.parameter.detach().view(-1)


def buffers(engine: Any, zero: ZeroStage) -> list[Buffer]:
    """List the buffers that this rank updates.

    Args:
        engine: of DeepSpeed.
        zero: ZeRO stage that it runs.
    """
    names = {parameter: name for name, parameter in engine.module.named_parameters()}
    match zero:
        case 0:
            trained = (parameter for group in engine.optimizer.param_groups for parameter in group["params"])
            return [Buffer(p, (Place(names[p], 0, 0, p.numel()),)) for p in trained]
        case 1 | 2:
            flat = engine.optimizer.single_partition_of_fp32_groups
            groups = zip(flat, engine.optimizer.bit16_groups, strict=True)
            return [Buffer(buffer, tuple(_linked_places(group, names))) for buffer, group in groups]
        case 3:
            flat, rank = engine.optimizer.fp32_partitioned_groups_flat, torch.distributed.get_rank()
            groups = zip(flat, engine.optimizer.fp16_groups, strict=True)
            return [
                Buffer(buffer, tuple(_cut_places(group, names, engine.optimizer, rank))) for buffer, group in groups
            ]
        case _:
            assert_never(zero)


def _linked_places(group: Iterable[nn.Parameter], names: Mapping[nn.Parameter, str]) -> Iterator[Place]:
    """List the places of ZeRO 1 and 2, where a buffer is a part of all parameters of a group one after another."""
    for parameter in group:
        link = parameter._hp_mapping  # type: ignore[attr-defined]  # DeepSpeed's
        if link is not None:
            of_parameter, of_buffer = link.lp_fragment_address, link.hp_fragment_address
            yield Place(names[parameter], of_parameter.start, of_buffer.start, of_parameter.numel)


def _cut_places(
    group: Iterable[nn.Parameter], names: Mapping[nn.Parameter, str], optimizer: Any, rank: int
) -> Iterator[Place]:
    """List the places of ZeRO 3, where every parameter is cut into equal parts, with filling behind the last."""
    for parameter in group:
        _, offset, part = optimizer.grad_position[optimizer.get_param_id(parameter)]
        start = rank * part
        size = min(part, parameter.ds_numel - start)  # type: ignore[attr-defined]  # DeepSpeed's
        if size > 0:
            yield Place(names[parameter], start, offset, size)


def cut_slices(
    own: Sequence[Buffer], optimizer: torch.optim.Optimizer, share: tuple[int, int] = (0, 1)
) -> list[dict[str, Any]]:
    """Cut the buffers of a rank into slices, as plain values and tensors that share their memory.

    Args:
        own: buffers of the rank.
        optimizer: torch's, that updates them.
        share: number of this share and of all shares, where all ranks have the same buffers: each writes another part.
    """
    number, count = share
    slices = []
    for buffer in own:
        states = optimizer.state.get(buffer.parameter, {})
        flat = {name: state.view(-1) for name, state in states.items() if _is_per_element(name, state)}
        step = float(states[_STEP]) if _STEP in states else None
        for place in buffer.places:
            begin, end = (place.size * k // count for k in (number, number + 1))
            if begin == end:
                continue
            run = slice(place.offset + begin, place.offset + end)
            tensors = {name: values[run] for name, values in ((_MASTER, buffer.values), *flat.items())}
            slices.append({"name": place.name, "start": place.start + begin, _STEP: step, "tensors": tensors})
    return slices


def _is_per_element(name: str, state: object) -> bool:
    return name != _STEP and isinstance(state, Tensor)


def put_slices(slices: Iterable[Mapping[str, Any]], own: Sequence[Buffer], optimizer: torch.optim.Optimizer) -> None:
    """Fill the buffers of a rank from the slices of all ranks of the group that has written them.

    Args:
        slices: as `cut_slices` has made them, their tensors as readers of files.
        own: buffers of the rank that reads.
        optimizer: torch's, that updates them.

    Raises:
        ValueError: an element is in none of the slices.
    """
    by_name: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for piece in slices:
        by_name[piece["name"]].append(piece)
    for buffer in own:
        for place in buffer.places:
            filled = sum(_put(piece, place, buffer, optimizer) for piece in by_name[place.name])
            if filled != place.size:
                law = f"{place.size} elements of {place.name} from {place.start} on, but has {filled} of them"
                raise ValueError(f"a step checkpoint must have {law}")


def _put(piece: Mapping[str, Any], place: Place, buffer: Buffer, optimizer: torch.optim.Optimizer) -> int:
    """Copy what a slice has of a place, and return the number of elements."""
    tensors: Mapping[str, TensorReader] = piece["tensors"]
    first: int = piece["start"]
    begin = max(place.start, first)
    end = min(place.start + place.size, first + tensors[_MASTER].get_shape()[0])
    if begin >= end:
        return 0
    run = slice(place.offset + begin - place.start, place.offset + end - place.start)
    for name, reader in tensors.items():
        target = buffer.values if name == _MASTER else _state(buffer, name, optimizer)
        target[run].copy_(reader[begin - first : end - first])
    if piece[_STEP] is not None:
        settings: Mapping[str, Any] = optimizer.defaults
        is_on_device = settings.get("fused") or settings.get("capturable")
        device = buffer.parameter.device if is_on_device else torch.device("cpu")  # as torch makes it
        optimizer.state[buffer.parameter][_STEP] = torch.tensor(piece[_STEP], dtype=torch.float32, device=device)
    return end - begin


def _state(buffer: Buffer, name: str, optimizer: torch.optim.Optimizer) -> Tensor:
    """Return a state of the optimizer for all elements of a buffer; zeros where there is none yet."""
    state = optimizer.state[buffer.parameter]
    if name not in state:
        state[name] = torch.zeros_like(buffer.parameter, memory_format=torch.preserve_format)
    return state[name].view(-1)  # type: ignore[no-any-return]


def round_masters(engine: Any, zero: ZeroStage) -> None:
    """Set the weights that the model computes with to the masters, on every rank. A collective.

    Args:
        engine: of DeepSpeed.
        zero: ZeRO stage that it runs.
    """
    optimizer = engine.optimizer
    match zero:
        case 0:
            pass  # they are the masters
        case 1 | 2:
            optimizer.update_lp_params()
        case 3:
            optimizer.checkpoint_event_prologue()
            for number, buffer in enumerate(optimizer.fp32_partitioned_groups_flat):
                if buffer.numel():
                    optimizer._reassign_or_swap_out_partitioned_parameters(number)
            if optimizer.persistent_parameters:
                optimizer.persistent_parameters[0].partition(optimizer.persistent_parameters)
            optimizer.checkpoint_event_epilogue()
        case _:
            assert_never(zero)
