"""What a plan can decide, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.analysis.plan_power import HypothesisPower


def power_view(found: Sequence[HypothesisPower]) -> RenderableType:
    """One line for each hypothesis, and below them what the figures rest on."""
    title = "What this can decide (smallest values in points, 80 % power)"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in ("hypothesis", "expect", "seeds", "examples", "smallest effect", "smallest margin"):
        table.add_column(name, justify="left" if name in ("hypothesis", "expect") else "right", overflow="fold")
    for one in found:
        examples = f"{one.n_examples:,}" if one.n_examples is not None else "?"
        cells = (one.id, one.expect, str(one.n_seeds), examples, _range(one.smallest_effect), _margin(one))
        table.add_row(*map(Text, cells))
    resting = {words: None for one in found for words in one.assumptions}
    counted = [words for words in resting if " examples; " not in words]
    notes = [Text(f"assumed: {words}", "dim") for words in (*counted, *_differing(found))]
    return Group(table, *notes)


def _range(values: tuple[float, float] | None) -> str:
    if values is None:
        return "?"
    low, high = (f"{value:.2g}" for value in values)
    return low if low == high else f"{low} to {high}"


def _margin(one: HypothesisPower) -> str:
    if one.smallest_margin is None and one.n_seeds == 1:
        return "none: one seed"
    return _range(one.smallest_margin)


def _differing(found: Sequence[HypothesisPower]) -> list[str]:
    """The shares of questions on which arms differ: the same words for all hypotheses but for their number."""
    tails = (words.split("; ", 1)[1] for one in found for words in one.assumptions if " examples; " in words)
    return list(dict.fromkeys(tails))
