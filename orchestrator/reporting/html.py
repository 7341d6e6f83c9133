"""A report as one HTML file: nothing from elsewhere, figures drawn into the page. Its one small script sorts tables,
finds arms and says which tables scroll; all can be read without. Equal reports give equal bytes."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from importlib import resources
from itertools import groupby
from typing import Any

import jinja2
from markupsafe import Markup

from orchestrator.analysis import blind_sentences, verdict_sentences
from orchestrator.analysis.number_text import p_text, signed
from orchestrator.analysis.power_sentences import smallest_text
from orchestrator.reporting import curve_figures, figure_data, figures, glossary, questions, run_sentences, sentences
from orchestrator.reporting.disagreements import Sample
from orchestrator.reporting.figure_data import arm_bar, claim_bar, priced_arms
from orchestrator.reporting.open_prompts import OpenSample
from orchestrator.reporting.prior_lines import best_prior
from orchestrator.reporting.questions import SuspectQuestion
from orchestrator.reporting.report_model import Cell, Report
from orchestrator.reporting.thumbnails import thumbnail
from orchestrator.reporting.training import LossCurve
from search_spaces.quantities import device_time

_PARTS = re.compile(r"(?<=[=+./_,-])")
_BAD = ("diverged", "failed", "unreadable")


def to_html(report: Report) -> str:
    """Write the report as one HTML page. Names and messages are escaped, whatever they hold."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("orchestrator.reporting"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    environment.filters["breakable"] = _breakable
    return environment.get_template("report.html.j2").render(**_context(report)) + "\n"


def _context(report: Report) -> dict[str, Any]:
    by_arm = {row.arm: row for row in report.rows}
    lines = {finding.arm: arm_bar(finding) for finding in report.findings}
    verdicts = [(verdict, claim_bar(verdict)) for verdict in report.verdicts.verdicts]
    aggregates = report.verdicts.aggregates
    samples = [(name, list(rows)) for name, rows in groupby(report.samples, key=lambda sample: sample.benchmark)]
    return {
        "report": report,
        "sentences": sentences,
        "run_sentences": run_sentences,
        "verdict_sentences": verdict_sentences,
        "blind": blind_sentences,
        "figures": figures,
        "best_prior": best_prior,
        "signed": signed,
        "p_text": p_text,
        "css": _template("report.css"),
        "script": _template("report.js"),
        "glossary": glossary.TERMS,
        "curve_figures": curve_figures,
        "stage_losses": _stage_losses(report),
        "data": figure_data,
        "device_time": device_time,
        "verdicts": verdicts,
        "any_effect": any(verdict.effect is not None for verdict, _ in verdicts),
        "scale": figures.forest_scale([bar for _, bar in verdicts]),
        "lines": lines,
        "arm_scale": figures.forest_scale(list(lines.values())),
        "headers": _headers(report),
        "cells": report.cells,
        "cell_class": _cell_class,
        "by_arm": by_arm,
        "seed_scale": figures.seed_scale(report),
        "priced": priced_arms(report),
        "samples": samples,
        "thumbnail": _thumbnail,
        "questions": questions,
        "aggregates": aggregates,
        "pool": aggregates.pool if aggregates is not None else None,
        "groups": list(dict.fromkeys(name for aggregate in aggregates.models for name in aggregate.groups))
        if aggregates
        else [],
        "factors": aggregates.factors if aggregates is not None else None,
        "smallest_text": smallest_text,
    }


def _template(name: str) -> Markup:
    return Markup((resources.files("orchestrator.reporting") / "templates" / name).read_text())


def _breakable(name: str) -> Markup:
    """Let a name break after the signs that join its parts, and nowhere else."""
    return Markup("<wbr>").join(part for part in _PARTS.split(name) if part)


@dataclass(frozen=True)
class _StageLosses:
    """Loss curves of a stage, for panels that share their axes."""

    stage: str
    curves: tuple[LossCurve, ...]
    base: str | None

    @property
    def arms(self) -> list[str]:
        return list(dict.fromkeys(curve.arm for curve in self.curves))

    def of(self, arm: str | None) -> list[LossCurve]:
        return [curve for curve in self.curves if curve.arm == arm]

    def behind(self, arm: str) -> list[LossCurve]:
        """List the curves that an arm's are compared with: the base's, in other panels than its own."""
        return [] if arm == self.base else self.of(self.base)


def _stage_losses(report: Report) -> list[_StageLosses]:
    stages = dict.fromkeys(curve.stage for curve in report.losses)
    return [
        _StageLosses(stage, tuple(curve for curve in report.losses if curve.stage == stage), report.base)
        for stage in stages
    ]


def _thumbnail(sample: OpenSample | Sample | SuspectQuestion) -> str:
    """Encode the image as a data URI."""
    assert sample.image_bytes is not None
    assert sample.pixels is not None
    return f"data:image/jpeg;base64,{base64.b64encode(thumbnail(sample.image_bytes, sample.pixels, 'JPEG')).decode()}"


def _headers(report: Report) -> list[tuple[str, str]]:
    """Name the columns with their numbers of examples; first the mean, where there are several benchmarks."""
    means = [(f"mean of {len(report.columns)}", "")] if len(report.columns) > 1 else []
    return [*means, *((c.benchmark, f"n {c.n_examples:,}" if c.n_examples is not None else "") for c in report.columns)]


def _cell_class(cell: Cell) -> str:
    if cell.estimate is None:
        is_bad = cell.refused is not None or any(absence in _BAD for absence in cell.absent.values())
        return "bad" if is_bad else "absent"
    return " ".join(name for name, holds in (("best", cell.is_best), ("silent", bool(cell.no_signal))) if holds)
