"""Pack the records of an optimizer step into rows: a function of the step's records and of their lengths alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Record = TypeVar("Record")


def pack(records: Sequence[Record], lengths: Sequence[int], longest_row: int) -> list[list[Record]]:
    """Pack records into rows by first fit, longest record first.

    Args:
        records: of one optimizer step, in any order.
        lengths: of each of them, in positions.
        longest_row: room of a row, in positions. A record that is longer has a row of its own.

    Returns:
        Rows, the one that was begun first at the head. Together they hold every record once.
    """
    rows: list[list[Record]] = []
    room: list[int] = []
    for index in sorted(range(len(records)), key=lambda index: -lengths[index]):
        number = next((number for number, left in enumerate(room) if lengths[index] <= left), len(rows))
        if number == len(rows):
            rows.append([])
            room.append(longest_row)
        rows[number].append(records[index])
        room[number] -= lengths[index]
    return rows


def dealt(rows: Sequence[list[Record]], rank: int, world: int) -> list[list[Record]]:
    """Return the rows of one rank, dealt in turn; every rank has equally many, some of them without records.

    Args:
        rows: of one optimizer step.
        rank: from 0 to `world - 1`.
        world: number of ranks.
    """
    filled = [*rows, *([] for _ in range(-len(rows) % world))]
    return filled[rank::world]
