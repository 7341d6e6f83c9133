"""Claims about precisions: memory counts the bytes that torch's types have."""

from __future__ import annotations

from typing import get_args

import pytest

from cluster.memory import bytes_of_number
from search_spaces.spec import Precision
from tests.support.sized_stages import sized_stage
from trainables.model.precision import dtype_of


@pytest.mark.parametrize("precision", get_args(Precision))
def test_memory_counts_the_bytes_of_the_type_that_is_trained(precision: Precision) -> None:
    assert dtype_of(precision).itemsize == bytes_of_number(sized_stage(precision=precision))


def test_no_two_precisions_are_one() -> None:
    assert len({dtype_of(precision) for precision in get_args(Precision)}) == len(get_args(Precision))
