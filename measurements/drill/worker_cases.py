"""Choose what is done in each case: every place of the undisturbed log in turn, one of its operations by lot."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from measurements.drill.interposer import FAILING, Choice, Disturbance
from measurements.drill.operations import FILE_KINDS, OTHER, Place, Record
from measurements.drill.power import Mode
from measurements.drill.toy_study import WAITING_SHAPES

Kind = Literal["kill", "half a write", "power cut", "failure once", "failure from then on"]

KINDS: dict[Kind, int] = {"kill": 8, "half a write": 2, "power cut": 5, "failure once": 3, "failure from then on": 2}
"""Kind of case -> its weight."""

MODES: tuple[Mode, ...] = ("strict", "ordered", "torn")
OTHER_SHAPE = 1 / 3
"""Share of the cases that go on with another shape."""


@dataclass(frozen=True)
class Case:
    """One disturbance of the study in worker processes, and how it goes on."""

    number: int
    seed: int
    """Of the drill."""
    kind: Kind
    shape: str
    second: str
    """Shape with which the command is run again."""
    disturbance: Disturbance
    mode: Mode | None = None
    """Of a power cut."""
    cut_seed: int = 0
    """Of what a power cut leaves."""


def cases(logs: Mapping[str, Sequence[Record]], shapes: Sequence[str], seed: int) -> Iterator[Case]:
    """Choose cases without end; equal logs and seeds give equal ones.

    Args:
        logs: by shape, the log of the undisturbed study.
        shapes: of the first commands, in turns.
        seed: of all that is drawn.
    """
    places = {shape: _by_place(log) for shape, log in logs.items()}
    turns: dict[str, Iterator[Place]] = {
        shape: _turns(sorted(found), random.Random(f"{seed} {shape}")) for shape, found in places.items()
    }
    number = 0
    while True:
        number += 1
        draw = random.Random(f"{seed} {number}")
        shape = shapes[number % len(shapes)]
        place = next(turns[shape])
        yield _case(number, seed, draw, shape, logs[shape], draw.choice(places[shape][place]))


def _case(number: int, seed: int, draw: random.Random, shape: str, log: Sequence[Record], record: Record) -> Case:
    kinds = [kind for kind in KINDS if _is_possible(kind, record)]
    kind = draw.choices(kinds, [KINDS[kind] for kind in kinds])[0]
    second = second_shape(draw, shape)
    choice = choice_of(record, log)
    errors = sorted(error for error, letters in FAILING.items() if record.operation in letters)
    mode: Mode | None = None
    match kind:
        case "kill":
            disturbance = Disturbance("kill", choice)
        case "half a write":
            disturbance = Disturbance("half", choice)
        case "power cut":
            disturbance, mode = Disturbance("hold", choice), draw.choice(MODES)
        case "failure once":
            disturbance = Disturbance("fail once", choice, draw.choice(errors))
        case "failure from then on":
            disturbance = Disturbance("fail on", choice, draw.choice(errors))
        case _:
            assert_never(kind)
    return Case(number, seed, kind, shape, second, disturbance, mode, cut_seed=draw.randrange(2**31))


def second_shape(draw: random.Random, shape: str) -> str:
    """Draw the shape with which a command is run again: in a third of the cases another one, whose steps wait."""
    others = sorted(set(WAITING_SHAPES) - {shape})
    return draw.choice(others) if draw.random() < OTHER_SHAPE else shape


def choice_of(record: Record, log: Sequence[Record]) -> Choice:
    """Describe an operation of a log so that it is found in another run of the same study."""
    pattern = FILE_KINDS.get(record.place.file, "")
    earlier = sum(
        is_chosen(other, record.operation, pattern, record.role) for other in log if other.number <= record.number
    )
    return Choice(record.operation, pattern, earlier, record.role)


def is_chosen(record: Record, operation: str, pattern: str, role: str) -> bool:
    """Say whether `interpose.c` counts an operation towards a choice."""
    if record.operation != operation or record.role != role:
        return False
    return any(path and re.search(pattern, path) is not None for path in (record.path, record.second))


def _is_possible(kind: Kind, record: Record) -> bool:
    match kind:
        case "kill" | "power cut":
            return True
        case "half a write":
            return record.operation == "W" and record.size > 1
        case "failure once" | "failure from then on":
            return any(record.operation in letters for letters in FAILING.values())
        case _:
            assert_never(kind)


def _by_place(log: Sequence[Record]) -> dict[Place, list[Record]]:
    found: dict[Place, list[Record]] = defaultdict(list)
    for record in log:
        if not record.error and record.place.file != OTHER:
            found[record.place].append(record)
    return found


def _turns(places: Sequence[Place], draw: random.Random) -> Iterator[Place]:
    while True:
        yield from draw.sample(places, len(places))
