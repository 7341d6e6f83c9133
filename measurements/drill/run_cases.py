"""Choose what is disturbed in each whole run: victims in turns, the moment by lot among operations that fit."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple, get_args

from measurements.drill.interposer import Choice
from measurements.drill.operations import OTHER, Record
from measurements.drill.power import Mode
from measurements.drill.toy_study import SHAPES
from measurements.drill.worker_cases import MODES, choice_of, second_shape

Victim = Literal[
    "driver KILL",
    "driver TERM",
    "driver INT",
    "worker KILL",
    "one rank of two KILL",
    "raylet KILL",
    "GCS KILL",
    "MLflow server KILL",
    "power cut",
    "driver KILL beside another",
]
VICTIMS: tuple[Victim, ...] = get_args(Victim)

SHAPES_OF_RUNS = ("1w-zero0", "2w-zero2", "1w-zero2", "1w-zero0")
"""In turns; two workers fill two CPUs."""

PLACES: dict[Victim, tuple[str, ...]] = {
    "worker KILL": ("checkpoint state", "stage weights", "features", "scores per example", "spool"),
    "one rank of two KILL": ("checkpoint state", "stage weights", "scores per example", "spool"),
}
"""Kinds of file at which a victim is killed, where not all will do: those that only workers touch."""

SERVER_WRITES = 120
"""Writes to its database by the MLflow server, once it has started, among which the one is drawn at which it dies."""


class RunCase(NamedTuple):
    """One disturbance of a whole run, and how it goes on."""

    number: int
    seed: int
    victim: Victim
    shape: str
    second: str
    """Shape with which the command is run again."""
    choice: Choice
    """Moment of the disturbance; of an MLflow server, in its own writes."""
    mode: Mode | None
    """Of a power cut."""


def run_cases(
    log_of: Callable[[str], Sequence[Record]], victims: Sequence[Victim], shapes: Sequence[str], seed: int
) -> Iterator[RunCase]:
    """Choose cases without end; equal logs and seeds give equal ones.

    Args:
        log_of: returns the log of the undisturbed run of a shape.
        victims: what is killed, in turns.
        shapes: of the first commands, in turns.
        seed: of all that is drawn.
    """
    for number in itertools.count(1):
        draw = random.Random(f"run {seed} {number}")
        victim, shape = victims[(number - 1) % len(victims)], shapes[(number - 1) % len(shapes)]
        if victim == "one rank of two KILL" and SHAPES[shape].workers < 2:
            shape = next(name for name in SHAPES_OF_RUNS if SHAPES[name].workers > 1)
        choice = _moment(draw, victim, log_of(shape))
        mode = draw.choice(MODES) if victim == "power cut" else None
        yield RunCase(number, seed, victim, shape, second_shape(draw, shape), choice, mode)


def _moment(draw: random.Random, victim: Victim, log: Sequence[Record]) -> Choice:
    """Draw the operation at which something is killed: first the kind of file, then one of its operations."""
    if victim == "MLflow server KILL":
        return Choice("W", "", draw.randint(1, SERVER_WRITES))
    fit = [record for record in log if not record.error and _fits(record, victim)]
    kind = draw.choice(sorted({record.place.file for record in fit}))
    return choice_of(draw.choice([record for record in fit if record.place.file == kind]), log)


def _fits(record: Record, victim: Victim) -> bool:
    wanted = PLACES.get(victim)
    return record.place.file not in (OTHER, "scratch") and (wanted is None or record.place.file in wanted)
