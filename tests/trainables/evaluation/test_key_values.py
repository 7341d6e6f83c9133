"""Claims about keys and values with room set aside: they are those of transformers' cache, and none is held twice."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import DynamicCache

from trainables.evaluation.key_values import KeyValues

LAYERS = 4


def _filled(cache: Any, lengths: list[int]) -> Any:
    generator = torch.Generator().manual_seed(0)
    for length in lengths:
        for layer in range(LAYERS):
            cache.update(*torch.randn(2, 3, 2, length, 8, generator=generator), layer)
    return cache


def test_what_is_appended_stands_where_transformers_puts_it() -> None:
    expected, cache = _filled(DynamicCache(), [5, 1, 2]), _filled(KeyValues(8), [5, 1, 2])
    chosen = torch.tensor([2, 0, 0, 1])
    assert cache.get_seq_length() == expected.get_seq_length() == 8
    for copy in (cache.rows(chosen, 9), cache.move_rows(chosen, 8)):
        for layer, wanted in zip(copy.layers, expected.layers, strict=True):
            assert torch.equal(layer.keys, wanted.keys[chosen])
            assert torch.equal(layer.values, wanted.values[chosen])


def test_tokens_are_appended_without_a_copy_of_those_before_them() -> None:
    cache = _filled(KeyValues(7), [5])
    begins = [(layer.keys.data_ptr(), layer.values.data_ptr()) for layer in cache.layers]
    set_aside = cache.nbytes
    _filled(cache, [1, 1])
    assert [(layer.keys.data_ptr(), layer.values.data_ptr()) for layer in cache.layers] == begins
    assert cache.nbytes == set_aside == 2 * LAYERS * 3 * 2 * 7 * 8 * 4


def test_more_than_there_is_room_for_is_refused() -> None:
    cache = _filled(KeyValues(5), [5])
    with pytest.raises(ValueError, match="room for 5 positions, but 6"):
        _filled(cache, [1])


class _Alive(TorchDispatchMode):
    """Counts the layers that are alive whenever rows of one are copied."""

    def __init__(self, layers: list[Any]):
        super().__init__()
        self._layers = [weakref.ref(layer) for layer in layers]
        self.counts: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.index_select.out:
            self.counts.append(sum(layer() is not None for layer in self._layers))
        return func(*args, **(kwargs or {}))


def test_each_layer_is_freed_once_its_rows_have_moved() -> None:
    cache = _filled(KeyValues(5), [5])
    with _Alive(cache.layers) as alive:
        cache.move_rows(torch.tensor([1, 1]), 5)
    assert alive.counts == [left for left in range(LAYERS, 0, -1) for _ in ("keys", "values")]
    assert cache.layers == []
