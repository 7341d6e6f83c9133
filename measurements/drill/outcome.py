"""Outcome of one case of the drill, as a line of its JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

OUTCOMES = "outcomes.jsonl"
"""Name of the file of outcomes in the folder of a drill."""

Level = Literal["worker", "run"]
"""Worker processes without Ray, or a whole `ablate run`."""


@dataclass(frozen=True)
class Outcome:
    """What a case did, and what came of it."""

    level: Level
    seed: int
    """Of the drill."""
    number: int
    kind: str
    shape: str
    second: str
    file: str
    """Kind of the file at which it came, or what was killed."""
    operation: str
    detail: str
    """Errno, signal or mode."""
    is_hit: bool
    """Whether the chosen operation came at all."""
    codes: list[int]
    """Exit codes of the command, first to last."""
    differences: list[str] = field(default_factory=list)
    rounding: float = 0.0
    """Greatest relative difference of weights and losses, where the shape changed on the way."""
    lost_steps: list[int] = field(default_factory=list)
    """Training steps that were done again, for each time that a stage was gone on with or begun anew."""
    seconds: float = 0.0
    storage: str = ""
    """Where the storage was kept, of cases with differences."""


def read_outcomes(path: Path) -> Iterator[Outcome]:
    """Read the outcomes of a file; a line that was cut by the end of a drill is left out."""
    for line in path.read_text().splitlines() if path.exists() else ():
        if line.startswith("{") and line.endswith("}"):
            yield Outcome(**json.loads(line))


def append_outcome(path: Path, outcome: Outcome) -> None:
    """Append an outcome to a file."""
    is_cut = path.exists() and not path.read_bytes().endswith(b"\n")
    with path.open("a") as file:
        file.write("\n" * is_cut + json.dumps(asdict(outcome)) + "\n")


def line_of(outcome: Outcome) -> str:
    """Say an outcome in one line."""
    became = "equal" if not outcome.differences else f"{len(outcome.differences)} DIFFERENCES: {outcome.differences[0]}"
    shapes = outcome.shape if outcome.shape == outcome.second else f"{outcome.shape}, then {outcome.second}"
    place = f"{outcome.file}: {outcome.operation} {outcome.detail}".strip()
    return f"{outcome.number:5d} {outcome.kind} ({shapes}) {place}, {outcome.codes}, {outcome.seconds:.1f} s: {became}"
