"""What each figure of a report shows: its values, and the caption that explains them.

The HTML report draws from these, and so do the figures that `ablate figures` writes for papers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.analysis.verdict_model import Verdict
from orchestrator.reporting.prior_lines import best_prior
from orchestrator.reporting.report_model import AxisCurve, Cell, Finding, Report
from orchestrator.reporting.sentences import comparisons_text, prior_note
from search_spaces.quantities import device_unit

_KINDS = {True: "yes", False: "no", None: "open"}


@dataclass(frozen=True)
class Bar:
    """One line of a forest plot."""

    value: float | None
    interval: tuple[float, float] | None = None
    """None where there is none: the value is drawn alone."""
    kind: str = "open"
    """Class of its colour: `yes`, `no`, `open`; of arms `higher`, `lower`, `level`."""
    margin: float | None = None
    """Of a claim: how much still counts as no difference, in the unit of the value."""

    @property
    def extent(self) -> tuple[float, ...]:
        """What the axis of the plot must hold: the value and the ends of its interval, as far as they are there."""
        return () if self.value is None else (self.value, *(self.interval or ()))


@dataclass(frozen=True)
class PricedArm:
    """An arm in the plane of price and score."""

    number: int
    """Of its row in the table of costs, from 1."""
    arm: str
    price: float
    """Of one trial with all of its stages, in the unit of the plane."""
    score: float
    is_pareto: bool


@dataclass(frozen=True)
class PricedArms:
    """Score against the price of one trial, of every arm that has both."""

    unit: str
    """Such as `GPU-hours`."""
    arms: tuple[PricedArm, ...]

    @property
    def front(self) -> list[PricedArm]:
        """Arms that no other one beats, cheapest first."""
        return sorted((arm for arm in self.arms if arm.is_pareto), key=lambda arm: (arm.price, arm.score))


def claim_bar(verdict: Verdict) -> Bar:
    """Make the line of a claim: its effect, coloured by whether it holds."""
    return Bar(verdict.effect, verdict.interval, _KINDS[verdict.holds], verdict.margin)


def arm_bar(finding: Finding) -> Bar:
    """Make the line of an arm: its difference to the base, coloured where it is clear."""
    main = finding.main
    if main is None:
        return Bar(None)
    kind = "level" if not main.is_clear else "higher" if main.effect > 0 else "lower"
    return Bar(main.effect, (main.low, main.high), kind)


def curve_cells(report: Report, curve: AxisCurve, index: int | None) -> list[Cell]:
    """Collect the scores of a curve's points, on one benchmark or (None) in the mean over all."""
    rows = {row.arm: row for row in report.rows}
    return [rows[point.arm].mean if index is None else rows[point.arm].cells[index] for point in curve.points]


def priced_arms(report: Report) -> PricedArms:
    """Collect score and price of every arm that has both."""
    scores = {row.arm: row.mean.estimate.value for row in report.rows if row.mean.estimate is not None}
    costs = [(number, cost) for number, cost in enumerate(report.costs, start=1) if cost.arm in scores]
    longest_s = max((3600 * cost.hours_per_trial for _, cost in costs), default=0.0)
    unit, seconds = device_unit(longest_s, report.device)
    return PricedArms(
        unit,
        tuple(
            PricedArm(number, cost.arm, 3600 * cost.hours_per_trial / seconds, scores[cost.arm], cost.is_pareto)
            for number, cost in costs
        ),
    )


def label_places(points: Sequence[tuple[float, float]], letter: float) -> list[tuple[float, float]]:
    """Place the numbers of points above, below or beside them: the first place that is free.

    Args:
        points: across and downwards, in pixels or points of a page.
        letter: size of the numbers, in the same unit.

    Returns:
        The middle of the base line of each number.
    """
    taken, places, apart = list(points), list[tuple[float, float]](), 0.92 * letter
    for x, y in points:
        ways = [(x, y - 0.75 * letter), (x, y + 1.6 * letter)]
        ways += [(x + 1.17 * letter, y + 0.33 * letter), (x - 1.17 * letter, y + 0.33 * letter)]
        middle = [(across, down - 0.33 * letter) for across, down in ways]
        free = (n for n, at in enumerate(middle) if all(max(abs(at[0] - a), abs(at[1] - b)) > apart for a, b in taken))
        chosen = next(free, 0)
        taken.append(middle[chosen])
        places.append(ways[chosen])
    return places


def over(report: Report) -> str:
    """Say what scores are means over: `in the mean over 4 benchmarks`, `on vqav2`."""
    n = len(report.columns)
    return f"in the mean over {n} benchmarks" if n > 1 else f"on {report.columns[0].benchmark}" if n else ""


def _is_alone(bar: Bar) -> bool:
    return bar.value is not None and bar.interval is None


def claims_caption(report: Report) -> str:
    """Explain the forest of claims."""
    level = f"{100 * report.verdicts.level:g}"
    return (
        f"Each line: how much higher (right of 0) or lower the first arms score than the other, with the {level} % "
        "interval over seeds and images; the shaded band is the margin of the claim."
        f"{' A dot alone has no interval.' if any(_is_alone(claim_bar(v)) for v in report.verdicts.verdicts) else ''}"
    )


def arms_caption(report: Report) -> str:
    """Explain the forest of arms."""
    return (
        f"Difference to {report.base} {over(report)}, in points, with its 95 % interval. Coloured: clear, among "
        f"{comparisons_text(report)}. Grey: no clear difference, which does not mean that there is none."
    )


def axes_caption(report: Report) -> str:
    """Explain the panels of axes."""
    return (
        "Everything else as in the base, which is the black dot. Rings are seeds, dots their means, upright lines the "
        f"95 % intervals; {over(report)}. Means are joined where the values are numbers."
        f"{prior_note(best_prior(report, None))}"
    )


def seeds_caption(report: Report) -> str:
    """Explain the strips of seeds."""
    return (
        f"Rings are the scores of single seeds {over(report)}, the bar is their mean, the line its 95 % interval."
        f"{prior_note(best_prior(report, None))}"
    )


def pareto_caption(report: Report) -> str:
    """Explain the plane of price and score."""
    return (
        f"Score {over(report)} against the price of one trial with all of its stages. Filled and joined: no other arm "
        f"is as good for less, or better for as much (Pareto front).{prior_note(best_prior(report, None))}"
    )


def losses_caption(stage: str, base: str | None, arms: Sequence[str]) -> str:
    """Explain the training losses of a stage."""
    behind = f"; behind them, in grey, those of {base}" if base in arms and len(arms) > 1 else ""
    return f"Training loss of the stage {stage} against its steps, a line for each seed{behind}."
