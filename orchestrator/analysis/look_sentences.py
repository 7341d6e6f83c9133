"""Say in plain words which look at its results a verdict comes from, and what a further one costs."""

from __future__ import annotations

from orchestrator.analysis.looks import Looks
from orchestrator.analysis.number_text import listed, p_text
from search_spaces.quantities import number_of


def look_reasons(looks: Looks, p_of_look: float, p: float | None) -> list[str]:
    """State what several looks have made of p; nothing where this is the only one, at all planned seeds.

    Args:
        looks: so far, with the present one.
        p_of_look: of the declared test, if this were the only look.
        p: of the declared test after all looks; None where it has none.
    """
    if looks.is_fixed:
        return []
    earlier = [str(size) for size in looks.sizes[:-1]]
    seeds = number_of(looks.sizes[-1], "seed")
    if looks.is_used_up:
        return [f"the declared looks are used up (at {listed(earlier)} seeds): what they left open stays open"]
    if earlier:
        place = f"look {len(earlier) + 1} at these results, at {seeds} (before: at {listed(earlier)})"
    else:
        place = f"a look at {seeds} of the {looks.last} that are planned"
    if p is None:
        return [place]
    alone = f"{place}: p {p_text(p_of_look)}, were it the only look"
    return [
        f"{alone}, and shown at an earlier look" if p <= p_of_look <= 0.05 else f"{alone}, is {p_text(p)} after all"
    ]


def further_look(looks: Looks) -> str:
    """State that a further look counts, with the p that it has to reach."""
    following = looks.next()
    level = p_text(float(f"{following.level(0.05):.1g}"))
    if following.clocks[-1] <= looks.last:
        return f"the look at {looks.last} seeds takes p {level} (Holm apart)"
    return f"a further look counts: it takes p of about {level} (Holm apart)"


def late_text(scored: int, trials: int) -> str:
    """State that a claim may have been made up after its results."""
    return f"written after {scored} of {number_of(trials, 'trial')} had scores: exploratory"
