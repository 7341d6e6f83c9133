"""The figures that there are: what each draws, says and lists, and whether a report has anything for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar, get_args

from matplotlib.figure import Figure

from orchestrator.figures import draw
from orchestrator.reporting import figure_data
from orchestrator.reporting.report_model import AxisCurve, Cell, Report
from orchestrator.reporting.training import LossCurve

FigureKind = Literal["claims", "forest", "axes", "pareto", "seeds", "curves"]
KINDS: tuple[FigureKind, ...] = get_args(FigureKind)

MOST_PANELS = 24
"""Panels of a figure; further ones go into another one."""
MOST_ROWS = 40
"""Lines of a figure, of arms or claims: about a page; further ones go into another one."""

T = TypeVar("T")


def kind_of(name: str) -> FigureKind:
    """Tell the kind of a figure from its name, such as `forest-2` or `curves-finetune`."""
    return next(kind for kind in KINDS if kind == name.partition("-")[0])


@dataclass(frozen=True)
class PaperFigure:
    """One figure of a report, to be drawn at some width."""

    name: str
    """Of its files, without a suffix."""
    caption: str
    columns: tuple[str, ...]
    """Of its table."""
    rows: tuple[Mapping[str, str], ...]
    """Of its table: every value that is drawn."""
    draw: Callable[[float], Figure]
    """Takes the width in inches."""


def paper_figures(report: Report, kinds: Sequence[FigureKind]) -> Iterator[PaperFigure]:
    """List the figures of these kinds for which a report has values.

    Args:
        report: of a study.
        kinds: in the order in which they are wanted.
    """
    for kind in kinds:
        yield from _MAKERS[kind](report)


def _claims(report: Report) -> Iterator[PaperFigure]:
    verdicts = [verdict for verdict in report.verdicts.verdicts if verdict.effect is not None]
    if not verdicts:
        return
    states = {True: "holds", False: "does not hold", None: "open"}
    caption = f"{figure_data.claims_caption(report)} Green: the claim holds; red: it does not; ochre: open."
    columns = ("claim", "text", "effect", "low", "high", "margin", "unit", "state")
    for number, said, part in _parts(verdicts, MOST_ROWS):
        rows = tuple(
            {
                "claim": verdict.id,
                "text": verdict.claim,
                **_bar(figure_data.claim_bar(verdict), "effect"),
                "margin": "" if verdict.margin is None else _number(verdict.margin),
                "unit": verdict.unit,
                "state": states[verdict.holds],
            }
            for verdict in part
        )
        yield PaperFigure(f"claims{number}", caption + said, columns, rows, partial(draw.claims, report, shown=part))


def _forest(report: Report) -> Iterator[PaperFigure]:
    findings = [finding for finding in report.findings if finding.main is not None]
    if not findings:
        return
    caption = figure_data.arms_caption(report)
    columns = ("arm", "points", "low", "high", "clear")
    for number, said, part in _parts(findings, MOST_ROWS):
        bars = [(finding.arm, figure_data.arm_bar(finding)) for finding in part]
        rows = tuple(
            {"arm": arm, **_bar(bar, "points"), "clear": "" if bar.kind == "level" else bar.kind} for arm, bar in bars
        )
        yield PaperFigure(f"forest{number}", caption + said, columns, rows, partial(draw.forest, report, shown=part))


def _axes(report: Report) -> Iterator[PaperFigure]:
    if not any(row["score"] for row in _axis_rows(report, report.curves)):
        return
    caption = figure_data.axes_caption(report)
    columns = ("axis", "value", "arm", "score", "low", "high", *_seed_columns(report))
    for number, said, part in _parts(report.curves, MOST_PANELS):
        rows = tuple(_axis_rows(report, part))
        yield PaperFigure(f"axes{number}", caption + said, columns, rows, partial(draw.axes, report, shown=part))


def _axis_rows(report: Report, curves: Sequence[AxisCurve]) -> Iterator[Mapping[str, str]]:
    for curve in curves:
        for point, cell in zip(curve.points, figure_data.curve_cells(report, curve, None), strict=True):
            yield {"axis": curve.axis, "value": point.label, "arm": point.arm, **_score(cell), **_by_seed(cell)}


def _pareto(report: Report) -> Iterator[PaperFigure]:
    priced = figure_data.priced_arms(report)
    if len(priced.arms) < 2:
        return
    price = f"{priced.unit} of one trial"
    rows = [
        {
            "number": str(arm.number),
            "arm": arm.arm,
            price: _number(arm.price),
            "score": _number(arm.score),
            "front": "yes" if arm.is_pareto else "",
        }
        for arm in priced.arms
    ]
    key = ", ".join(f"{arm.number} {arm.arm}" for arm in priced.arms)
    caption = f"{figure_data.pareto_caption(report)} Arms: {key}."
    columns = ("number", "arm", price, "score", "front")
    yield PaperFigure("pareto", caption, columns, tuple(rows), partial(draw.pareto, report))


def _seeds(report: Report) -> Iterator[PaperFigure]:
    scored = [row for row in report.rows if row.mean.by_seed]
    if not scored:
        return
    caption = figure_data.seeds_caption(report)
    columns = ("arm", "score", "low", "high", *_seed_columns(report))
    for number, said, part in _parts(scored, MOST_ROWS):
        rows = tuple({"arm": row.arm, **_score(row.mean), **_by_seed(row.mean)} for row in part)
        yield PaperFigure(f"seeds{number}", caption + said, columns, rows, partial(draw.seeds, report, shown=part))


def _curves(report: Report) -> Iterator[PaperFigure]:
    for stage in dict.fromkeys(curve.stage for curve in report.losses):
        of_stage = [curve for curve in report.losses if curve.stage == stage]
        arms = list(dict.fromkeys(curve.arm for curve in of_stage))
        for number, said, part in _parts(arms, MOST_PANELS):
            shown = [curve for curve in of_stage if curve.arm in part]
            yield PaperFigure(
                f"curves-{stage}{number}",
                figure_data.losses_caption(stage, report.base, part) + said,
                ("arm", "seed", "step", "loss"),
                tuple(_loss_rows(shown)),
                partial(draw.curves, report, shown=shown),
            )


_MAKERS: Mapping[FigureKind, Callable[[Report], Iterator[PaperFigure]]] = {
    "claims": _claims,
    "forest": _forest,
    "axes": _axes,
    "pareto": _pareto,
    "seeds": _seeds,
    "curves": _curves,
}


def _parts(items: Sequence[T], most: int) -> Iterator[tuple[str, str, Sequence[T]]]:
    """Spread what is drawn over as many figures as are needed, evenly.

    Args:
        items: arms, claims or axes.
        most: of one figure.

    Yields:
        What follows the name of the figure, what its caption says of it, and its items.
    """
    n_parts = math.ceil(len(items) / most)
    for n in range(n_parts):
        part = items[n * len(items) // n_parts : (n + 1) * len(items) // n_parts]
        yield (f"-{n + 1}", f" Part {n + 1} of {n_parts}.", part) if n_parts > 1 else ("", "", part)


def _loss_rows(curves: Sequence[LossCurve]) -> Iterator[Mapping[str, str]]:
    for curve in curves:
        for step, loss in curve.points:
            yield {"arm": curve.arm, "seed": str(curve.seed), "step": _number(step), "loss": _number(loss)}


def _bar(bar: figure_data.Bar, name: str) -> dict[str, str]:
    assert bar.value is not None
    low, high = ("", "") if bar.interval is None else map(_number, bar.interval)
    return {name: _number(bar.value), "low": low, "high": high}


def _score(cell: Cell) -> dict[str, str]:
    if cell.estimate is None:
        return {"score": "", "low": "", "high": ""}
    interval = cell.estimate.interval
    return {"score": _number(cell.estimate.value), "low": _number(interval.low), "high": _number(interval.high)}


def _seed_columns(report: Report) -> tuple[str, ...]:
    return tuple(f"seed {seed}" for seed in report.seeds)


def _by_seed(cell: Cell) -> dict[str, str]:
    return {f"seed {seed}": _number(value) for seed, value in cell.by_seed.items()}


def _number(value: float) -> str:
    return f"{value:.6g}"
