"""Zeros where a file was never written are told from zeros that are meant."""

from __future__ import annotations

import pytest
import torch

from search_spaces.errors import InputError
from trainables.model.unwritten import refuse_unwritten

WHOLE = {name: torch.ones(4, 4) for name in "abcd"} | {"e.bias": torch.ones(4), "f.bias": torch.ones(4)}


@pytest.mark.parametrize("lost", [("b", "c"), ("c", "d", "e.bias"), ("a", "b", "c", "d", "e.bias", "f.bias")])
def test_neighbours_of_zeros_were_not_written(lost: tuple[str, ...]) -> None:
    tensors = {name: torch.zeros_like(part) if name in lost else part for name, part in WHOLE.items()}
    with pytest.raises(InputError, match=rf"x\.bin: .* {lost[0]} and {lost[1]} hold zeros alone"):
        refuse_unwritten(tensors, "x.bin")


@pytest.mark.parametrize("zeros", [(), ("b",), ("a", "c"), ("d", "e.bias", "f.bias")])
def test_a_matrix_of_zeros_among_others_and_biases_of_zeros_are_taken(zeros: tuple[str, ...]) -> None:
    refuse_unwritten({name: part * (name not in zeros) for name, part in WHOLE.items()}, "x.bin")


def test_a_tensor_that_only_begins_with_zeros_was_written() -> None:
    padded = torch.zeros(100, 4)
    padded[-1, -1] = 1
    refuse_unwritten({"a": padded, "b": padded.clone()}, "x.bin")
