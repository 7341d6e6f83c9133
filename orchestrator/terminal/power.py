"""What a plan can decide, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.analysis.number_text import range_text
from orchestrator.analysis.plan_power import HypothesisPower
from orchestrator.terminal.tables import table


def power_view(found: Sequence[HypothesisPower]) -> RenderableType:
    """One line for each hypothesis, and below them what the figures rest on."""
    columns = ("hypothesis", "expect", "seeds", "examples", "smallest effect", "smallest margin")
    title = "What this can decide (smallest values in points, 80 % power)"
    shown = table(title, columns, map(_row, found), right=(2, 3, 4, 5))
    resting = {words: None for one in found for words in one.assumptions}
    counted = [words for words in resting if " examples; " not in words]
    notes = [Text(f"assumed: {words}", "dim") for words in (*counted, *_differing(found))]
    return Group(shown, *notes)


def _row(one: HypothesisPower) -> tuple[str, ...]:
    examples = f"{one.n_examples:,}" if one.n_examples is not None else "?"
    return one.id, one.expect, str(one.n_seeds), examples, range_text(one.smallest_effect, "?"), _margin(one)


def _margin(one: HypothesisPower) -> str:
    if one.smallest_margin is None and one.n_seeds == 1:
        return "none: one seed"
    return range_text(one.smallest_margin, "?")


def _differing(found: Sequence[HypothesisPower]) -> list[str]:
    """The shares of questions on which arms differ: the same words for all hypotheses but for their number."""
    tails = (words.split("; ", 1)[1] for one in found for words in one.assumptions if " examples; " in words)
    return list(dict.fromkeys(tails))
