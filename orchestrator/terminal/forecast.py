"""Show what the rest of a study takes on a cluster."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from orchestrator.planning.forecast import Forecast
from search_spaces.one_line import one_line
from search_spaces.quantities import number_of
from trainables.storage.records import Expected

_WIDTH = 80


def forecast_lines(shown: Forecast) -> Iterator[str]:
    """Write a forecast as lines for people, of at most 80 columns."""
    for line in _lines(shown):
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        yield from textwrap.wrap(
            one_line(line), _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )


def _lines(shown: Forecast) -> Iterator[str]:
    devices = "GPU" if shown.on_gpus else "CPU"
    yield f"On {shown.profile}, all of its nodes for the whole time:"
    shared = shown.stages_unshared - shown.stages
    saved = f"; sharing saves {number_of(shared, 'stage')}" if shared else ""
    yield f"  {number_of(shown.trials, 'trial')} left, {number_of(shown.stages, 'stage')}{saved}"
    yield f"  {devices}-hours   {_between(shown.device_hours)}"
    yield f"  wall hours  {_between(shown.wall_hours)}, simulated; {shown.idle_share:.0%} of the {devices}s idle"
    for currency, amount in shown.money.items():
        yield f"  {currency:10}  {_between(amount)}"
    if not shown.money:
        yield "  money       not known: the profile lacks the price of some node"
    if shown.sources:
        parts = ", ".join(f"{share:.0%} {source}" for source, share in shown.sources.items())
        yield f"  these hours rest on numbers that are {parts} (docs/planning-costs.md)"
    for arm, reason in shown.unfit.items():
        yield f"  never fits: {arm} {reason}"


def _between(interval: Expected) -> str:
    return f"{_short(interval.expected)} (between {_short(interval.low)} and {_short(interval.high)})"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.2g}"
