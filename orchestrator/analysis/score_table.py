"""Tables of scores, models by benchmarks, and the differences of their cells."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestrator.analysis.intervals import Floats
from orchestrator.analysis.verdict_model import Refusal, Unit
from search_spaces.errors import InputError

ALIASES = {
    "VQAv2": "vqav2",
    "GQA": "gqa",
    "VizWiz": "vizwiz",
    "TextVQA+OCR": "textvqa-ocr",
    "TextVQA": "textvqa",
    "RefCOCO": "refcoco",
    "RefCOCO+": "refcoco+",
    "RefCOCOg": "refcocog",
    "OCIDRef": "ocidref",
    "VSR": "vsr",
    "POPE": "pope",
    "TallyQA": "tallyqa",
    "AI2D": "ai2d",
}
"""Column names of the published table -> benchmark ids."""


DIFFERENCES: Mapping[Unit, Callable[[float, float], float]] = {
    "points": lambda reference, alternative: alternative - reference,
    "percent": lambda reference, alternative: 200 * (alternative - reference) / (alternative + reference),
}
"""Unit -> difference of two scores: as it is, or relative to the mean of both, so that it is symmetric."""


@dataclass(frozen=True)
class ScoreTable:
    """Scores of models on benchmarks."""

    name: str
    benchmarks: tuple[str, ...]
    scores: Mapping[str, Mapping[str, float]]
    """Model -> benchmark -> score; cells that are empty in the file are not there."""

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, in file order."""
        return tuple(self.scores)


def read_table(path: Path, name: str | None = None) -> ScoreTable:
    """Read a CSV file of scores: a header, then one line per model; the first column is the model's id.

    Raises:
        InputError: for a file that cannot be read, a name that comes twice, a line of another length, or a cell that is
            neither empty nor a finite number.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"a table must be a readable CSV file, but {error}", place=str(path)) from error
    if len(lines) < 2 or len(lines[0][1]) < 2:
        raise InputError("a table must have a header with benchmarks, and lines of models", place=str(path))
    header = [name.strip() for name in lines[0][1][1:]]
    benchmarks = [ALIASES.get(name, name) for name in header]
    _refuse_repeated(benchmarks, "a benchmark must be one column", f"{path}:{lines[0][0]}")
    scores: dict[str, dict[str, float]] = {}
    for number, row in lines[1:]:
        place, model = f"{path}:{number}", row[0].strip()
        if len(row) != len(header) + 1:
            raise InputError(f"a line must have {len(header) + 1} cells as the header, but has {len(row)}", place=place)
        if not model or model in scores:
            problem = f"{model!r} is there twice" if model else "one is empty"
            raise InputError(f"the first cell must be a model's id, each once, but {problem}", place=place)
        cells = zip(benchmarks, row[1:], strict=True)
        scores[model] = {name: _number(text, name, place) for name, text in cells if text.strip()}
    return ScoreTable(name or str(path), tuple(benchmarks), scores)


def cell_differences(
    table: ScoreTable, pairs: Sequence[tuple[str, str]], benchmarks: Sequence[str], unit: Unit
) -> Floats | Refusal:
    """Subtract the scores of each pair on each benchmark, pairs x benchmarks in `unit`, or refuse with the reason.

    Args:
        pairs: reference and alternative, models of the table.
    """
    missing = [
        f"{model} on {name}"
        for model in dict.fromkeys(model for pair in pairs for model in pair)
        for name in benchmarks
        if name not in table.scores[model]
    ]
    if missing:
        return Refusal((f"no score of {', '.join(missing)}",))
    difference = DIFFERENCES[unit]
    try:
        rows = [[difference(table.scores[a][name], table.scores[b][name]) for name in benchmarks] for a, b in pairs]
    except ZeroDivisionError:
        return Refusal(("a relative difference of two scores that add up to 0 means nothing",))
    return np.array(rows)


def _refuse_repeated(names: Sequence[str], law: str, place: str) -> None:
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated or "" in names:
        problem = f"{', '.join(repeated)} come more than once" if repeated else "one has no name"
        raise InputError(f"{law}, but {problem}", place=place)


def _number(text: str, column: str, place: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(
            f"a score must be a number, or empty where there is none, but got {text!r}", place=place, key=column
        )
    return number
