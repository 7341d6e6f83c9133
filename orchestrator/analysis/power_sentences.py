"""Say in plain words what a plan can decide, and what would be needed where that is too little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from orchestrator.analysis.number_text import listed, points_text, range_text
from orchestrator.analysis.plan_power import HypothesisPower, SeedsNeeded
from orchestrator.analysis.power import SCALE
from search_spaces.quantities import number_of


def too_small_lines(powers: Sequence[HypothesisPower]) -> list[str]:
    """Say of hypotheses that these seeds may miss even a large effect, and how many seeds would not."""
    ids: dict[tuple[int, tuple[SeedsNeeded, ...]], list[str]] = {}
    for hypothesis in powers:
        if hypothesis.is_too_small:
            ids.setdefault((hypothesis.n_seeds, hypothesis.needed[::-1]), []).append(hypothesis.id)
    return [
        f"too small: with {number_of(n_seeds, 'seed')} {listed(names)} may {missed_text(needed[0])}. "
        f"Every arm needs {'; '.join(_needed_texts(needed))}."
        for (n_seeds, needed), names in ids.items()
    ]


def smallest_text(values: tuple[float, float] | None) -> str:
    """Write a range of smallest values: `0.4 to 1.2`, `46 or more`, `nothing` where no effect could be shown."""
    if values is not None and values[1] >= SCALE:
        return "nothing" if values[0] >= SCALE else f"{values[0]:.2g} or more"
    return range_text(values, "?")


def needed_seeds_text(seeds: tuple[int | None, int | None]) -> str:
    """Write a range of numbers of seeds: `3 to 12`, `40 to more than 100`."""
    calm, restless = ("more than 100" if number is None else str(number) for number in seeds)
    return calm if calm == restless else f"{calm} to {restless}"


def missed_text(needed: SeedsNeeded) -> str:
    """Say what a hypothesis does with too few seeds: `miss a difference of 5 points`."""
    match needed.statement:
        case "differs":
            return f"miss a difference of {points_text(needed.points)}"
        case "equivalent":
            return f"stay open though there is no difference (margin {needed.points:g})"
        case "not-worse":
            return f"stay open though nothing is worse (margin {needed.points:g})"
        case _:
            assert_never(needed.statement)


def _needed_texts(needed: Sequence[SeedsNeeded]) -> list[str]:
    """Write what effects take, largest first; where examples are too few, smaller effects are not named."""
    texts: list[str] = []
    for effect in needed:
        points = points_text(effect.points)
        what = points if effect.statement == "differs" else f"a margin of {points}"
        if effect.seeds[0] is None:
            return [*texts, f"more examples for {what}{' or less' if effect != needed[-1] else ''}"]
        texts.append(f"{needed_seeds_text(effect.seeds)}{'' if texts else ' seeds'} for {what}")
    return texts
