"""Estimate the memory of a worker that answers questions: the whole model, keys and values, one layer at work.

A batch has as many positions as the model allows (`search_spaces.question_memory`), so this does not follow from the
resources that trained it. Images are encoded before keys and values are there, and take less.
"""

from __future__ import annotations

from typing import assert_never

from cluster.memory import FP32, Memory, bytes_of_number, reserved_bytes
from search_spaces.question_memory import bytes_per_position, positions_at_once
from search_spaces.resource_spec import ResourceSpec
from search_spaces.sizes import ModelSize, kv_width
from search_spaces.spec import StageSpec

COPIED = 1.5
"""Keys and values that are there at a time, as a multiple of a batch's: rows are copied while what they are copied from
is still there (`question_memory.positions_at_once`)."""


def evaluation_memory(size: ModelSize, last: StageSpec, resources: ResourceSpec, cached: bool) -> Memory:
    """Estimate the peak memory of one worker that evaluates a trained model. Every worker has all of it.

    Args:
        size: of the model.
        last: stage that ended its training, whose precision evaluation has.
        resources: of the trial: whether its workers have GPUs.
        cached: features of all images come from a cache, the encoder is not there.

    Returns:
        Bytes of a worker: `activations` are keys and values, `workspace` what one layer needs to read a batch.
    """
    number, parameters = bytes_of_number(last), size.parameters
    position = bytes_per_position(size.width, size.language, number)
    positions = positions_at_once(position)
    return Memory(
        weights=number * (parameters["projector"] + parameters["language"]),
        encoder=0 if cached else number * parameters["vision"],
        gradients=0,
        optimizer=0,
        activations=int(COPIED * positions * position),
        workspace=positions * layer_bytes(size, number) + reserved_bytes(resources),
        host=0,
    )


def evaluated_positions(size: ModelSize, last: StageSpec) -> int:
    """Return the most positions of a batch of questions.

    Args:
        size: of the model.
        last: stage that ended its training.
    """
    return positions_at_once(bytes_per_position(size.width, size.language, bytes_of_number(last)))


def layer_bytes(size: ModelSize, number: int) -> int:
    """Compute the bytes per position that a decoder layer needs at a time, without a backward pass.

    Attention: its input before and after the norm (in fp32 within), q, k, v and the output. Then the MLP: its input and
    the tensors of its inner width that are alive together (gate, activation, up; with GELU two).

    Args:
        size: of the model.
        number: bytes of one number.
    """
    width, mlp = size.width, size.language.mlp
    attention = FP32 * width + number * (4 * width + 2 * kv_width(width, size.language))
    match size.family:
        case "llama" | "mistral":
            return max(attention, number * (2 * width + 3 * mlp))
        case "phi":
            return attention + number * 2 * mlp
        case _:
            assert_never(size.family)
