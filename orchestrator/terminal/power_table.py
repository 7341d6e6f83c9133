"""Show on a terminal what a plan can decide, and what would be needed where that is too little."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.analysis.plan_power import HypothesisPower
from orchestrator.analysis.power_sentences import smallest_text, too_small_lines
from orchestrator.terminal.tables import table


def power_view(powers: Sequence[HypothesisPower]) -> RenderableType:
    """Show one line for each hypothesis; below them which are too small, and what the figures rest on."""
    columns = ("hypothesis", "expect", "seeds", "examples", "smallest effect", "smallest margin")
    title = "What this can decide (smallest values in points, 80 % power)"
    shown = table(title, columns, map(_row, powers), right=(2, 3, 4, 5))
    known = [power for power in powers if power.smallest_effect is not None]
    notes = [Text(f"assumed: {assumption}", "dim") for assumption in (*_spreads(known), *_differing(known))]
    notes += [Text(f"no prediction: {reason}", "yellow") for reason in _spreads([p for p in powers if p not in known])]
    return Group(shown, *(Text(line) for line in too_small_lines(powers)), *notes)


def _row(hypothesis: HypothesisPower) -> tuple[str, ...]:
    examples = f"{hypothesis.n_examples:,}" if hypothesis.n_examples is not None else "?"
    return (
        hypothesis.id,
        hypothesis.expect,
        str(hypothesis.n_seeds),
        examples,
        smallest_text(hypothesis.smallest_effect),
        _margin(hypothesis),
    )


def _margin(hypothesis: HypothesisPower) -> str:
    if hypothesis.smallest_margin is None and hypothesis.n_seeds == 1:
        return "none: one seed"
    return smallest_text(hypothesis.smallest_margin)


def _spreads(powers: Sequence[HypothesisPower]) -> list[str]:
    """Collect what is assumed of seeds and images; where hypotheses rest on unlike assumptions, with their names."""
    resting: dict[str, list[str]] = {}
    for hypothesis in powers:
        for assumption in hypothesis.assumptions:
            if " examples; " not in assumption:
                resting.setdefault(assumption, []).append(hypothesis.id)
    return [
        assumption if len(names) == len(powers) else f"{assumption} ({', '.join(names)})"
        for assumption, names in resting.items()
    ]


def _differing(powers: Sequence[HypothesisPower]) -> list[str]:
    """Collect the shares of questions on which arms differ: the same words for all hypotheses but for their number."""
    tails = (
        assumption.split("; ", 1)[1]
        for hypothesis in powers
        for assumption in hypothesis.assumptions
        if " examples; " in assumption
    )
    return list(dict.fromkeys(tails))
