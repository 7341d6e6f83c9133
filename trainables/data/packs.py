"""Pack the records of an optimizer step into rows, a forward pass each, for workers that wait for one another."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import TypeVar

Record = TypeVar("Record")


def pack(records: Sequence[Record], lengths: Sequence[int], longest_row: int, world: int) -> list[list[list[Record]]]:
    """Pack records into as few equally long rows as there is room for, the same number for every rank.

    Longest record first, each goes to the row that holds least (Graham 1969). The result is a function of the
    arguments alone.

    Args:
        records: of one optimizer step, in any order.
        lengths: of each of them, in positions.
        longest_row: room of a row, in positions. A record that is longer has a row of its own.
        world: number of ranks.

    Returns:
        Rows of each rank; a row has no records where there are fewer records than rows.
    """
    passes = max(1, -(-sum(lengths) // (longest_row * world)))
    order = sorted(range(len(records)), key=lambda index: -lengths[index])
    while (rows := _balanced(order, lengths, longest_row, passes * world)) is None:
        passes += 1
    return [[[records[index] for index in row] for row in rows[rank::world]] for rank in range(world)]


def _balanced(order: Sequence[int], lengths: Sequence[int], longest_row: int, number: int) -> list[list[int]] | None:
    """Lay records into a number of rows; None where a record finds no room."""
    rows: list[list[int]] = [[] for _ in range(number)]
    held = [(0, row) for row in range(number)]
    for index in order:
        positions, row = held[0]
        if rows[row] and positions + lengths[index] > longest_row:
            return None
        rows[row].append(index)
        heapq.heapreplace(held, (positions + lengths[index], row))
    return rows
