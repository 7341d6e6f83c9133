"""Keep the keys and values of a batch in tensors that have their room from the start.

Each token appended to a cache of transformers copies all of it, and leaves the allocator with blocks of every size.

Shapes: B rows, H heads, K positions, D width of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer


class KeyValues(Cache):  # type: ignore[misc]  # transformers has no types
    """Keys and values of a batch in all layers.

    Args:
        room: positions of a row, at most.
    """

    def __init__(self, room: int):
        super().__init__(layer_class_to_replicate=partial(_Layer, room))
        self.room = room
        self.layers: list[_Layer]

    @property
    def nbytes(self) -> int:
        """Bytes that are set aside."""
        return sum(layer.nbytes for layer in self.layers)

    def rows(self, chosen: Tensor, room: int) -> KeyValues:
        """Copy rows, in their order; a row may be repeated.

        Args:
            chosen: numbers of rows.
            room: positions of a row of the copy, at most.
        """
        copy = KeyValues(room)
        copy.layers.extend(layer.rows(chosen, room) for layer in self.layers)
        return copy

    def move_rows(self, chosen: Tensor, room: int) -> KeyValues:
        """Move rows to a cache of their own, in their order, one layer after another: no two are held twice.

        What is moved from is empty afterwards. The arguments are those of `rows`.
        """
        moved, layers = KeyValues(room), self.layers
        self.layers = []
        layers.reverse()
        while layers:
            moved.layers.append(layers.pop().rows(chosen, room))
        return moved


class _Layer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of one layer, B x H x K x D; K grows within the room that was set aside."""

    def __init__(self, room: int, **kwargs: Any):
        super().__init__(**kwargs)
        self._room = room
        self._set_aside: Sequence[Tensor] = ()

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self._set_aside)

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self._set_room_aside(key_states, value_states, len(key_states))
        self.keys, self.values = (tensor[:, :, :0] for tensor in self._set_aside)

    def _set_room_aside(self, keys: Tensor, values: Tensor, rows: int) -> None:
        self.dtype, self.device = keys.dtype, keys.device
        self._set_aside = [like.new_empty(rows, like.shape[1], self._room, like.shape[3]) for like in (keys, values)]
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append positions; returns all keys and values as views."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        begin = self.keys.shape[2]
        end = self._within_room(begin + key_states.shape[2])
        keys, values = self._set_aside
        keys[:, :, begin:end] = key_states
        values[:, :, begin:end] = value_states
        self.keys, self.values = keys[:, :, :end], values[:, :, :end]
        return self.keys, self.values

    def rows(self, chosen: Tensor, room: int) -> _Layer:
        copy = _Layer(room)
        length = copy._within_room(self.keys.shape[2])
        copy._set_room_aside(self.keys, self.values, len(chosen))
        copy.keys, copy.values = (tensor[:, :, :length] for tensor in copy._set_aside)
        torch.index_select(self.keys, 0, chosen, out=copy.keys)  # at once where they belong: a third of the time
        torch.index_select(self.values, 0, chosen, out=copy.values)
        return copy

    def _within_room(self, positions: int) -> int:
        if positions > self._room:
            raise ValueError(f"a row has room for {self._room} positions, but {positions} are kept in it")
        return positions
