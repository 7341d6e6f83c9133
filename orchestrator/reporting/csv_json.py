"""A report for programs: JSON with all of it, and a tidy CSV table. Equal reports give equal bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from orchestrator.analysis.effects import Estimate
from orchestrator.analysis.intervals import LEVEL
from orchestrator.analysis.verdict_model import blind_json, plain_values
from orchestrator.analysis.verdict_sentences import state_text
from orchestrator.reporting.csv_text import csv_text
from orchestrator.reporting.report_model import Cell, Difference, Report, Row
from orchestrator.reporting.sentences import absence_text
from orchestrator.schema_version import SCHEMA_VERSION

MEAN = "mean"
"""Stands in the column `benchmark` for the mean over all of them."""

COLUMNS = {
    "kind": "score: one trial; mean, median: an arm over its seeds; difference: an arm minus the base; verdict: a "
    "hypothesis; blank, swapped: mean of an arm with other images than the questions' own; prior: what needs no image; "
    "type-score, type-mean, type-median, type-prior: the same on the questions of one type",
    "id": "the hypothesis of a verdict, the name of a prior, else empty",
    "arm": "name of the arm; of a verdict its alternatives, joined by ` | `; of a prior empty",
    "seed": "of a score",
    "benchmark": "its id; `mean` for the mean over all; of a verdict its benchmarks, joined by ` | `",
    "protocol": "of the benchmark",
    "value": "points: 100 x the mean score of an example, or a difference of such means; empty where there is none",
    "low": "lower limit of the interval; of one trial there is none",
    "high": "upper limit of the interval",
    "level": "of the interval",
    "p": "of a difference being 0, or of what a hypothesis expects",
    "p_adjusted": "Benjamini-Hochberg over all differences, Holm over all verdicts",
    "n_seeds": "seeds in it",
    "n_examples": "examples in it",
    "n_images": "images in it, whose questions count as one draw",
    "state": "ok, or why there is no value: missing, failed, diverged, running, refused, ...; of a verdict the verdict",
    "note": "no signal; clear, for a difference that stands out; for a verdict holds, does not hold, open, or open: "
    "these checkpoints differ",
    "unparsable": "of a score or a mean: share of answers that could not be read, 0 to 1",
    "type": "of questions, with what sorts them: `answer_type=number`; empty where all questions count",
}
"""Column of the CSV -> what it holds. After these, one column for each axis, called `axis:<name>`: the arm's label."""


def to_json(report: Report, beside: Mapping[str, Any] | None = None) -> str:
    """Write all of the report but its images as JSON, floats rounded to 9 significant digits.

    Args:
        report: that is written.
        beside: further plain values, by keys that a report does not have.
    """
    without_images = replace(
        report,
        samples=tuple(replace(s, image_bytes=None, pixels=None) for s in report.samples),
        open_samples=tuple(replace(s, image_bytes=None, pixels=None) for s in report.open_samples),
        questions=tuple(
            replace(q, suspects=tuple(replace(s, image_bytes=None, pixels=None) for s in q.suspects))
            for q in report.questions
        ),
    )
    document = {"schema_version": SCHEMA_VERSION, **asdict(without_images)}
    document["verdicts"]["blind"] = [blind_json(benchmark) for benchmark in report.verdicts.blind]
    if not report.provenance.left_out:
        del document["provenance"]["left_out"]
    document |= beside or {}
    return json.dumps(plain_values(document), indent=1, sort_keys=True, allow_nan=False) + "\n"


def to_csv(report: Report) -> str:
    """Write one line for each score, mean, difference and verdict; columns as in `COLUMNS`."""
    axes = list(report.rows[0].values) if report.rows else []
    values = {row.arm: {_axis(axis): label for axis, label in row.values.items()} for row in report.rows}
    lines = (*_scores(report), *_type_scores(report), *_differences(report), *_blind(report))
    of_arms = ({**line, **values[line["arm"]]} for line in lines)
    return csv_text(
        [*COLUMNS, *map(_axis, axes)], (*of_arms, *_priors(report), *_type_priors(report), *_verdicts(report))
    )


def _axis(name: str) -> str:
    return f"axis:{name}"


def _scores(report: Report) -> Iterator[dict[str, str]]:
    for row in report.rows:
        for column, cell in zip(report.columns, row.cells, strict=True):
            yield from _cell_lines(row, cell, column.benchmark, column.protocol)
        if len(report.columns) > 1:
            yield from _cell_lines(row, row.mean, MEAN, "")


def _cell_lines(row: Row, cell: Cell, benchmark: str, protocol: str) -> Iterator[dict[str, str]]:
    about = {"arm": row.arm, "benchmark": benchmark, "protocol": protocol}
    for seed in row.seeds:
        line = {"kind": "score", **about, "seed": str(seed)}
        if seed in cell.by_seed:
            silent = "no signal" if seed in cell.no_signal else ""
            n = {"n_seeds": "1", **_counts(cell.estimate)} if cell.estimate is not None else {}
            n["unparsable"] = _number(cell.unparsable.get(seed))
            yield {**line, "value": _number(cell.by_seed[seed]), **n, "state": "ok", "note": silent}
        else:
            yield {**line, "state": cell.absent[seed]}
    if cell.estimate is None:
        yield {"kind": "mean", **about, "state": "refused" if cell.refused is not None else absence_text(cell)}
        return
    interval = cell.estimate.interval
    yield {
        "kind": "mean",
        **about,
        "value": _number(cell.estimate.value),
        **_limits(interval.low, interval.high, level=LEVEL),
        "n_seeds": str(len(cell.estimate.seeds)),
        **_counts(cell.estimate),
        "unparsable": _number(cell.unread_share),
        "state": "ok",
        "note": "no signal" if cell.no_signal else "",
    }
    yield {"kind": "median", **about, "value": _number(cell.estimate.median), "state": "ok"}


def _type_scores(report: Report) -> Iterator[dict[str, str]]:
    protocols = {column.benchmark: column.protocol for column in report.columns}
    for scores in report.types:
        for row in scores.rows:
            for name, cell in zip(scores.types, row.cells, strict=True):
                for line in _cell_lines(row, cell, scores.benchmark, protocols[scores.benchmark]):
                    yield {**line, "kind": f"type-{line['kind']}", "type": f"{scores.kind}={name}", "unparsable": ""}


def _type_priors(report: Report) -> Iterator[dict[str, str]]:
    protocols = {column.benchmark: column.protocol for column in report.columns}
    for scores in report.types:
        for prior in scores.priors:
            for name, value in zip(scores.types, prior.values, strict=True):
                about = {"benchmark": scores.benchmark, "protocol": protocols[scores.benchmark]}
                sort = {"type": f"{scores.kind}={name}"}
                yield {"kind": "type-prior", "id": prior.name, **about, **sort, "value": _number(value), "state": "ok"}


def _priors(report: Report) -> Iterator[dict[str, str]]:
    for prior in report.priors:
        for column, value in zip(report.columns, prior.values, strict=True):
            if value is not None:
                about = {"benchmark": column.benchmark, "protocol": column.protocol}
                yield {"kind": "prior", "id": prior.name, **about, "value": _number(value), "state": "ok"}


def _differences(report: Report) -> Iterator[dict[str, str]]:
    for finding in report.findings:
        for difference in (*finding.benchmarks, *((finding.mean,) if finding.mean is not None else ())):
            yield {"kind": "difference", "arm": finding.arm, **_difference(difference)}


def _difference(difference: Difference) -> dict[str, str]:
    notes = [name for name, holds in (("clear", difference.is_clear), ("no signal", difference.no_signal)) if holds]
    return {
        "benchmark": difference.benchmark or MEAN,
        "value": _number(difference.effect),
        **_limits(difference.low, difference.high, level=LEVEL),
        "p": _number(difference.p),
        "p_adjusted": _number(difference.p_adjusted),
        "n_seeds": str(len(difference.seeds)),
        "n_examples": str(difference.n_examples),
        "n_images": str(difference.n_images),
        "state": "ok",
        "note": ", ".join(notes),
    }


def _blind(report: Report) -> Iterator[dict[str, str]]:
    for benchmark in report.verdicts.blind:
        for score in benchmark.arms:
            about = {"arm": score.arm, "benchmark": benchmark.benchmark, "n_seeds": str(len(score.seeds))}
            yield {"kind": "blank", **about, "value": _number(score.blank), "state": "ok"}
            if score.swapped is not None:
                yield {"kind": "swapped", **about, "value": _number(score.swapped), "state": "ok"}


def _verdicts(report: Report) -> Iterator[dict[str, str]]:
    for verdict in report.verdicts.verdicts:
        limits = _limits(*verdict.interval, level=verdict.level) if verdict.interval is not None else {}
        yield {
            "kind": "verdict",
            "id": verdict.id,
            "arm": " | ".join(dict.fromkeys(alternative for _, alternative in verdict.pairs)),
            "benchmark": " | ".join(verdict.benchmarks),
            "value": _number(verdict.effect),
            **limits,
            "p": _number(verdict.p),
            "p_adjusted": _number(verdict.p_adjusted),
            "n_seeds": str(verdict.n_seeds),
            "n_examples": str(verdict.n_examples),
            "state": verdict.verdict,
            "note": state_text(verdict),
        }


def _limits(low: float, high: float, level: float) -> dict[str, str]:
    return {"low": _number(low), "high": _number(high), "level": f"{level:g}"}


def _counts(estimate: Estimate) -> dict[str, str]:
    return {"n_examples": str(estimate.n_examples), "n_images": str(estimate.n_images)}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
