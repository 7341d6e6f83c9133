"""Verdicts on a table of scores alone: models by benchmarks, no examples, no seeds.

Two methods. `paired-table` is a one-sample t over the differences of all cells (benchmark x pair), in points.
`prismatic-2024` is what reproduces the p values that *Prismatic VLMs* (ICML 2024) prints: the symmetric relative
difference of every cell, d = (alternative - reference) / ((alternative + reference) / 2), pooled over pairs and
benchmarks, a two-sided one-sample t of its mean being 0, at alpha .01 and without a correction for several claims.
`all` then leaves out `textvqa-ocr`, which is in none of the paper's aggregates.

Both take the cells for independent draws. They are not: pairs share models, benchmarks share images and skills.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from orchestrator.analysis.aggregates import aggregated, groups_of, reference_pool
from orchestrator.analysis.intervals import Floats, Interval, t_interval
from orchestrator.analysis.verdicts import (
    ALPHA,
    Component,
    Evidence,
    Ruling,
    Sensitivity,
    Unit,
    Verdict,
    Verdicts,
    rule,
)
from orchestrator.analysis.words import found_words, number_of, ruling_reasons
from search_spaces.claims import Suites, asked_benchmarks, check_claims
from search_spaces.errors import InputError
from search_spaces.study import Hypothesis
from search_spaces.yaml_source import Document

TableMethod = Literal["paired-table", "prismatic-2024"]

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

_REFCOCO = ("refcoco", "refcoco+", "refcocog")
_NO_AGGREGATE = "textvqa-ocr"


@dataclass(frozen=True)
class ScoreTable:
    name: str
    benchmarks: tuple[str, ...]
    scores: Mapping[str, Mapping[str, float]]
    """Model -> benchmark -> score; cells that are empty in the file are not there."""

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(self.scores)


@dataclass(frozen=True)
class _Way:
    """How a method measures the difference of two scores and tests the mean of all."""

    unit: Unit
    difference: Callable[[float, float], float]
    alpha: float
    corrected: bool
    two_sided: bool
    notes: tuple[str, ...]


_CELLS = (
    "No examples, no seeds: a t test over the differences of benchmarks and pairs, which are not independent draws."
)
WAYS: Mapping[TableMethod, _Way] = {
    "paired-table": _Way(
        unit="points",
        difference=lambda reference, alternative: alternative - reference,
        alpha=ALPHA,
        corrected=True,
        two_sided=False,
        notes=(
            _CELLS,
            "A verdict holds after Holm's correction over the hypotheses of the file.",
            "A table compares checkpoints: it never shows that two choices are equivalent, or that one is not worse.",
        ),
    ),
    "prismatic-2024": _Way(
        unit="percent",
        difference=lambda reference, alternative: 200 * (alternative - reference) / (alternative + reference),
        alpha=0.01,
        corrected=False,
        two_sided=True,
        notes=(
            _CELLS,
            "Effects are symmetric relative differences in percent of the mean of the two scores; p is two-sided, "
            "alpha .01 and not corrected for several claims, as in the paper; Holm's p is shown beside it.",
            "A table compares checkpoints: it never shows that two choices are equivalent, or that one is not worse.",
        ),
    ),
}


def read_table(path: Path, name: str | None = None) -> ScoreTable:
    """A CSV file of scores: a header, then one line per model; the first column is the model's id.

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
            found = f"{model!r} is there twice" if model else "one is empty"
            raise InputError(f"the first cell must be a model's id, each once, but {found}", place=place)
        cells = zip(benchmarks, row[1:], strict=True)
        scores[model] = {name: _number(text, name, place) for name, text in cells if text.strip()}
    return ScoreTable(name or str(path), tuple(benchmarks), scores)


def judge_table(
    table: ScoreTable,
    hypotheses: Sequence[Hypothesis],
    document: Document,
    method: TableMethod,
    suites: Suites,
    pool: ScoreTable | None = None,
) -> Verdicts:
    """Judge hypotheses whose pairs are models of the table.

    Args:
        pool: table whose complete models z-scores are measured against; by default the table itself.

    Raises:
        InputError: for models and benchmarks that the table does not have, at their places in `document`.
    """
    hypotheses = [_with_ids(one) for one in hypotheses]
    check_claims(hypotheses, document, table.models, table.benchmarks, suites)
    way = WAYS[method]
    everything = [name for name in table.benchmarks if method == "paired-table" or name != _NO_AGGREGATE]
    asked = [asked_benchmarks(one.on, table.benchmarks, suites, everything) for one in hypotheses]
    cells = [differences(table, one.pairs, on, method) for one, on in zip(hypotheses, asked, strict=True)]
    judged = [i for i, found in enumerate(cells) if isinstance(found, np.ndarray) and found.size > 1]
    evidence = [_evidence(hypotheses[i], cells[i], way) for i in judged]
    rulings = dict(zip(judged, rule(evidence, way.alpha, corrected=way.corrected), strict=True))
    verdicts = tuple(
        _verdict(table, one, asked[i], cells[i], rulings.get(i), method) for i, one in enumerate(hypotheses)
    )
    frozen = reference_pool((pool or table).name, everything, (pool or table).scores)
    if pool is not None and frozen is None:
        law = f"a pool must have three models with scores on {', '.join(everything)}, but {pool.name} has not"
        raise InputError(law, key="--pool")
    aggregates = aggregated(table.scores, frozen, groups_of(suites))
    return Verdicts(table.name, method, 1 - way.alpha, verdicts, way.notes, aggregates)


def differences(
    table: ScoreTable, pairs: Sequence[tuple[str, str]], benchmarks: Sequence[str], method: TableMethod
) -> Floats | str:
    """Pairs by benchmarks in the unit of the method, or why there are none."""
    way = WAYS[method]
    missing = [
        f"{model} on {name}"
        for model in dict.fromkeys(model for pair in pairs for model in pair)
        for name in benchmarks
        if name not in table.scores[model]
    ]
    if missing:
        return f"no score of {', '.join(missing)}"
    try:
        rows = [[way.difference(table.scores[a][name], table.scores[b][name]) for name in benchmarks] for a, b in pairs]
    except ZeroDivisionError:
        return "a relative difference of two scores that add up to 0 means nothing"
    return np.array(rows)


def _with_ids(hypothesis: Hypothesis) -> Hypothesis:
    """Names of the published table's columns are accepted in `on` as they are in a header."""
    return hypothesis.model_copy(update={"on": tuple(ALIASES.get(name, name) for name in hypothesis.on)})


def _evidence(hypothesis: Hypothesis, cells: Floats | str, way: _Way) -> Evidence:
    assert isinstance(cells, np.ndarray)
    interval = _t_over(cells, way)
    return Evidence(
        hypothesis.expect,
        hypothesis.margin,
        interval,
        check=None,
        may_be_equivalent=False,
        two_sided=way.two_sided,
    )


def _t_over(cells: Floats, way: _Way) -> Interval:
    error = float(cells.std(ddof=1)) / math.sqrt(cells.size)
    return t_interval(float(cells.mean()), error, cells.size - 1, 1 - way.alpha)


def _verdict(
    table: ScoreTable,
    hypothesis: Hypothesis,
    benchmarks: tuple[str, ...],
    cells: Floats | str,
    ruling: Ruling | None,
    method: TableMethod,
) -> Verdict:
    way = WAYS[method]
    values = cells if isinstance(cells, np.ndarray) else None
    interval = _t_over(values, way) if values is not None and values.size > 1 else None
    reasons: list[str] = []
    if isinstance(cells, str):
        reasons.append(cells)
    elif ruling is None:
        reasons.append("a single difference has no spread: nothing can be tested")
    else:
        reasons += ruling_reasons(hypothesis, ruling, interval, way.alpha, way.corrected)
        reasons.append(f"no examples, no seeds: a t test over {values.size if values is not None else 0} cells")
    outcome = ruling.verdict if ruling else "undecided"
    effect = float(values.mean()) if values is not None else None
    return Verdict(
        id=hypothesis.id,
        claim=hypothesis.claim,
        expect=hypothesis.expect,
        verdict=outcome,
        holds=ruling.holds if ruling else None,
        scope="checkpoints",
        method=method,
        pairs=hypothesis.pairs,
        benchmarks=benchmarks,
        effect=effect,
        unit=way.unit,
        interval=(interval.low, interval.high) if interval else None,
        level=1 - way.alpha,
        margin=hypothesis.margin,
        p=ruling.p if ruling else None,
        p_adjusted=ruling.p_adjusted if ruling else None,
        n_seeds=0,
        n_examples=0,
        n_pairs=len(hypothesis.pairs),
        n_cells=values.size if values is not None else 0,
        reasons=tuple(reasons),
        sentence=found_words(outcome, effect, way.unit, interval, 1 - way.alpha, [_over(benchmarks, hypothesis)]),
        by_benchmark=_components(values, benchmarks, way, axis=0),
        by_pair=_components(values, [f"{a} -> {b}" for a, b in hypothesis.pairs], way, axis=1),
        sensitivity=_sensitivity(table, hypothesis, benchmarks, method),
    )


def _over(benchmarks: Sequence[str], hypothesis: Hypothesis) -> str:
    return f"{number_of(len(hypothesis.pairs), 'pair')} on {number_of(len(benchmarks), 'benchmark')}"


def _components(values: Floats | None, names: Sequence[str], way: _Way, axis: int) -> tuple[Component, ...]:
    """Means along pairs (axis 0) or benchmarks (axis 1), with the t interval where there are several."""
    if values is None:
        return ()
    found = []
    for name, column in zip(names, values.T if axis == 0 else values, strict=True):
        interval = _t_over(column, way) if column.size > 1 else None
        found.append(Component(name, float(column.mean()), (interval.low, interval.high) if interval else None))
    return tuple(found)


def _sensitivity(
    table: ScoreTable, hypothesis: Hypothesis, benchmarks: Sequence[str], method: TableMethod
) -> tuple[Sensitivity, ...]:
    """The three RefCOCO sets ask one skill of one kind of picture; VSR is a coin flip for most published models."""
    found = []
    if all(name in benchmarks for name in _REFCOCO):
        merged = {
            model: {**row, "refcoco": sum(row[name] for name in _REFCOCO) / len(_REFCOCO)}
            for model, row in table.scores.items()
            if all(name in row for name in _REFCOCO)
        }
        others = [name for name in benchmarks if name not in _REFCOCO[1:]]
        if all(model in merged for pair in hypothesis.pairs for model in pair):
            joined = ScoreTable(table.name, table.benchmarks, merged)
            found.append(_test_on("refcoco, refcoco+ and refcocog counted once", joined, hypothesis, others, method))
    if "vsr" in benchmarks:
        others = [name for name in benchmarks if name != "vsr"]
        found.append(_test_on("without vsr", table, hypothesis, others, method))
    return tuple(one for one in found if one is not None)


def _test_on(
    name: str, table: ScoreTable, hypothesis: Hypothesis, benchmarks: Sequence[str], method: TableMethod
) -> Sensitivity | None:
    cells = differences(table, hypothesis.pairs, benchmarks, method)
    if isinstance(cells, str) or cells.size < 2:
        return None
    evidence = _evidence(hypothesis, cells, WAYS[method])
    ruling = rule([evidence], WAYS[method].alpha, corrected=False)[0]
    return Sensitivity(name, ruling.verdict, evidence.interval.value, ruling.p, cells.size)


def _refuse_repeated(names: Sequence[str], law: str, place: str) -> None:
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated or "" in names:
        found = f"{', '.join(repeated)} come more than once" if repeated else "one has no name"
        raise InputError(f"{law}, but {found}", place=place)


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
