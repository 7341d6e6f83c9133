"""Claims about the positions of a batch of questions: small models have always had the same, large ones fit a GPU."""

from __future__ import annotations

import pytest

from search_spaces.question_memory import CACHE_BYTES, MOST_POSITIONS, bytes_per_position, positions_at_once
from search_spaces.sizes import LanguageShape


@pytest.mark.parametrize(
    ("layers", "width", "heads", "kv_heads", "number"),
    [(2, 96, 4, 4, 4), (30, 576, 9, 3, 4), (32, 960, 15, 5, 4), (32, 1024, 16, 16, 4)],
    ids=["tiny", "smollm2-135m", "smollm2-360m", "the largest small one"],
)
def test_small_models_read_as_many_positions_as_ever(
    layers: int, width: int, heads: int, kv_heads: int, number: int
) -> None:
    shape = LanguageShape(layers=layers, heads=heads, kv_heads=kv_heads, mlp=1, vocabulary=1)
    assert positions_at_once(bytes_per_position(width, shape, number)) == MOST_POSITIONS


def test_keys_and_values_of_large_models_keep_within_their_bytes() -> None:
    for layers, width, heads, kv_heads in ((32, 4096, 32, 32), (40, 5120, 40, 40), (80, 8192, 64, 8)):
        shape = LanguageShape(layers=layers, heads=heads, kv_heads=kv_heads, mlp=1, vocabulary=1)
        position_bytes = bytes_per_position(width, shape, 2)
        positions = positions_at_once(position_bytes)
        assert CACHE_BYTES - position_bytes < positions * position_bytes <= CACHE_BYTES
        assert positions < MOST_POSITIONS


def test_a_model_whose_single_position_is_beyond_the_bound_answers_one_at_a_time() -> None:
    assert positions_at_once(CACHE_BYTES + 1) == 1
