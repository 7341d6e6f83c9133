"""Show a plan in some ten lines of at most 80 columns: what to know before running it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cluster.fit import totals
from orchestrator.analysis.chosen_questions import chosen_sentences
from orchestrator.analysis.number_text import listed
from orchestrator.analysis.plan_power import HypothesisPower
from orchestrator.analysis.power import SCALE
from orchestrator.analysis.power_sentences import missed_text
from orchestrator.planning.forecast import Forecast
from orchestrator.planning.plan_summary import PlanSummary
from orchestrator.terminal.forecast import forecast_lines
from orchestrator.terminal.plan import summary
from search_spaces.one_line import one_line
from search_spaces.plan import Arm
from search_spaces.quantities import bytes_text, duration, number_of
from search_spaces.yaml_source import show

_WIDTH = 80
_LABEL = 10
_MOST_ARMS = 3
"""Arms that have a line each; the names of more of them are written one after the other."""
_MOST_NAMES = 4
"""Claims that are named; of more of them the number is said."""
_MOST_LINES = 2
"""Lines of one label: what is longer is cut, and `--tables` has it."""


def plan_summary_lines(shown: PlanSummary, forecast: Forecast | None = None) -> Iterator[str]:
    """Write a plan as lines for people.

    Args:
        shown: the plan, on its storage and this machine.
        forecast: what it takes on the cluster of a profile; None: this machine is meant.
    """
    title = f"{shown.plan.study}: {shown.plan.question}" if shown.plan.question else shown.plan.study
    yield from _wrapped(title, "", _MOST_LINES)
    yield from _labelled("does", summary(shown.plan))
    yield f"{'storage':{_LABEL}}{one_line(_short(shown.storage))}: {_stored(shown)}"  # a path is not broken
    yield from forecast_lines(forecast) if forecast is not None else _labelled("takes", _takes(shown))
    yield from _labelled("inputs", _inputs(shown))
    yield from _arms(shown.plan.arms)
    yield from _first("decides", _decided(shown.powers), "claims")
    yield from _first("warning", _warnings(shown, on_profile=forecast is not None), "warnings")
    yield f"{'more':{_LABEL}}--tables, --resolved, --json"


def _labelled(label: str, text: str, most: int | None = None) -> Iterator[str]:
    return _wrapped(text, f"{label:{_LABEL}}", most)


def _wrapped(text: str, label: str, most: int | None = None) -> Iterator[str]:
    yield from textwrap.wrap(
        one_line(text),
        _WIDTH,
        initial_indent=label,
        subsequent_indent=" " * _LABEL,
        break_long_words=False,
        break_on_hyphens=False,
        max_lines=most,
        placeholder=" ...",
    )


def _first(label: str, texts: Iterable[str], noun: str) -> Iterator[str]:
    """Write the first texts under one label, and say how many more there are."""
    all_texts = list(texts)
    for number, text in enumerate(all_texts[:_MOST_LINES]):
        yield from _labelled(label if number == 0 else "", text, _MOST_LINES)
    if len(all_texts) > _MOST_LINES:
        yield from _labelled("", f"and {len(all_texts) - _MOST_LINES} more {noun} (--tables)")


def _short(path: Path) -> str:
    """Write a path below the home folder with `~`, as shells do."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def _stored(shown: PlanSummary) -> str:
    if shown.is_storage_empty:
        return "empty"
    states = {state: count for state, count in shown.states.items() if count and state != "pending"}
    trials = len(shown.plan.trials)
    if not states:
        return f"none of {number_of(trials, 'trial')} is done"
    return f"{shown.states['done']} of {number_of(trials, 'trial')} done" + "".join(
        f", {count} {state}" for state, count in states.items() if state != "done"
    )


def _takes(shown: PlanSummary) -> str:
    if not any(count for state, count in shown.states.items() if state != "done"):
        return "nothing: every trial is done"
    disk = "disk unknown" if shown.disk_bytes is None else f"at most {bytes_text(shown.disk_bytes)} of disk"
    hours = []
    if shown.gpu_hours is not None:
        digits = ",.0f" if shown.gpu_hours >= 10 else ".2g"
        hours = [f"about {shown.gpu_hours:{digits}} GPU-hours on {shown.gpu}"]
    if shown.wall is None:
        return f"{', '.join(hours) or 'time unknown'} (with --profile on a cluster); {disk}"
    wall = shown.wall
    between = f"{duration(wall.low_s)} to {duration(wall.high_s)}"
    time = f"about {duration(wall.expected_s)} ({between}) on {_machine(shown)}"
    return "; ".join((time, *hours, disk))


def _machine(shown: PlanSummary) -> str:
    cpus, gpus = totals(shown.machine)
    return f"this machine, {number_of(int(cpus), 'core')}" + (f", {number_of(int(gpus), 'GPU')}" if gpus else "")


def _inputs(shown: PlanSummary) -> str:
    inputs = shown.inputs
    if inputs.missing:
        more = f"; and {len(inputs.missing) - 1} more" if len(inputs.missing) > 1 else ""
        return f"MISSING {inputs.missing[0]}{more}"
    read = f"; the run reads {len(inputs.unread)} of them first" if inputs.unread else ""
    fetched = f"; to be fetched: {', '.join(inputs.fetched)}" if inputs.fetched else ""
    return f"data and weights are there{read}{fetched}"


def _arms(arms: tuple[Arm, ...]) -> Iterator[str]:
    if len(arms) > _MOST_ARMS:
        yield from _labelled("arms", ", ".join(arm.name for arm in arms), _MOST_LINES)
        return
    width = max((len(arm.name) for arm in arms), default=0)
    for number, arm in enumerate(arms):
        changes = ", ".join(f"{path}: {show(value)}" for path, value in arm.difference.items())
        text = f"{arm.name:{width}}  {changes}" if changes else arm.name
        yield from _labelled("arms" if number == 0 else "", text, _MOST_LINES)


def _decided(powers: Sequence[HypothesisPower]) -> Iterator[str]:
    """Say what hypotheses can decide with 80 % power: those about differences together, and those about margins."""
    differences = [power for power in powers if power.smallest_effect and power.expect in ("better", "worse")]
    margins = [power for power in powers if power.smallest_effect and power not in differences]
    if differences:
        says = _spanned("a difference of", [power.smallest_effect for power in differences])
        yield f"{_named(differences)}: can tell {says} ({_size(differences)})"
    if margins:
        says = _spanned("that a difference is below", [power.smallest_margin for power in margins])
        yield f"{_named(margins)}: can show {says} ({_size(margins)})"
    unknown: dict[str, list[HypothesisPower]] = {}
    for power in powers:
        if power.smallest_effect is None:
            unknown.setdefault(power.assumptions[0], []).append(power)
    for reason, alike in unknown.items():
        yield f"{_named(alike)}: not known yet, {reason}"


def _named(powers: Sequence[HypothesisPower]) -> str:
    if len(powers) > _MOST_NAMES:
        return number_of(len(powers), "claim")
    return listed(power.id for power in powers)


def _spanned(what: str, ranges: Sequence[tuple[float, float] | None]) -> str:
    """Write the smallest values that can be told, by the best and the worst of what is assumed.

    Args:
        what: stands before the number of points.
        ranges: of hypotheses; None where one seed tells nothing.
    """
    known = [values for values in ranges if values is not None]
    if not known:
        return "nothing, with one seed"
    low, high = min(low for low, _ in known), max(high for _, high in known)
    if low >= SCALE:
        return "nothing"
    best, worst = f"{low:.2g}", "nothing" if high >= SCALE else f"{high:.2g}"
    return f"{what} {best} points or more" if best == worst else f"{what} {best} points at best, {worst} at worst"


def _size(powers: Sequence[HypothesisPower]) -> str:
    seeds = {power.n_seeds for power in powers}
    count = number_of(max(seeds), "seed") if len(seeds) == 1 else f"{min(seeds)} to {max(seeds)} seeds"
    return f"{count}, 80 % power"


def _beyond_budget(shown: PlanSummary) -> Iterator[str]:
    """Say that the study's GPU-hours do not suffice, as far as the plan knows what is left."""
    budget, left, spent = shown.budget_gpu_hours, shown.gpu_hours or 0.0, shown.spent_gpu_hours
    if budget is not None and spent + left > budget:
        yield f"budget.gpu_hours is {budget:g}, but {spent:.3g} are spent and about {left:.3g} are left to do"


def _out_of_reach(powers: Sequence[HypothesisPower]) -> Iterator[str]:
    """Name the hypotheses that stay open over a large effect by the best assumptions, too; `decides` has the worst."""
    missed: dict[str, list[HypothesisPower]] = {}
    for power in powers:
        seeds = power.needed[-1].seeds[0] if power.needed else 0
        if seeds is None or seeds > power.n_seeds:
            missed.setdefault(missed_text(power.needed[-1]), []).append(power)
    for text, alike in missed.items():
        yield f"even at best, {_named(alike)} would {text} (--tables)"


def _warnings(shown: PlanSummary, *, on_profile: bool) -> Iterator[str]:
    if not on_profile:
        unfit = list(shown.unfit.items())
        for name, reason in unfit[:1]:
            more = f" (and {number_of(len(unfit) - 1, 'more arm')})" if len(unfit) > 1 else ""
            yield f"this machine cannot run it: {name} {reason}{more}"
    yield from shown.too_large
    yield from _beyond_budget(shown)
    yield from _out_of_reach(shown.powers)
    yield from chosen_sentences(shown.plan)
    if shown.plan.excluded:
        yield f"{number_of(len(shown.plan.excluded), 'arm')} left out by `exclude`"
    yield from shown.plan.notes
