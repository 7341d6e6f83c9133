"""Say in plain words what would decide an open hypothesis: a range with the odds of its ends, not a promise."""

from __future__ import annotations

from typing import assert_never

from orchestrator.analysis.number_text import points_text
from orchestrator.analysis.verdict_model import Price
from search_spaces.quantities import device_unit, number_of


def price_text(price: Price) -> str:
    """State what would decide: `3 to 20 more seeds of each arm (0.3 to 2 GPU-hours) would settle which is better ...`.

    A range is from even odds to odds of four in five, for one look at the end: no number of seeds decides for certain.
    """
    ways = []
    seeds = _range_text(price.even_seeds, price.more_seeds, "more seed")
    if seeds is not None:
        sd = price.assumed_seed_sd
        given = f", if scores vary over seeds by {points_text(sd)}," if sd is not None else ""
        ways.append(
            f"{seeds} of each arm{_hours_text(price, price.even_seeds_gpu_hours, price.seeds_gpu_hours)}{given}"
        )
    examples = _range_text(price.even_examples, price.more_examples, "more example")
    if examples is not None:
        ways.append(
            f"{examples}{_hours_text(price, price.even_examples_gpu_hours, price.examples_gpu_hours, ' to score')}"
        )
    settled = _settled_text(price)
    if not ways:
        return (
            f"neither 100 more seeds nor 100 times as many examples would surely settle {settled}: {_limit_text(price)}"
        )
    text = f"{' or '.join(ways)} would settle {settled}: {_odds_text(price)}, for one look at the end"
    return text if seeds is not None else f"{text}; more seeds alone would not, as {_limit_text(price)}"


def _odds_text(price: Price) -> str:
    ends = [(price.even_seeds, price.more_seeds), (price.even_examples, price.more_examples)]
    given = [(even, most) for even, most in ends if even is not None and most is not None]
    if all(even == most for even, most in given):
        return "the odds are four in five"
    if len(given) == 1:
        ((even, most),) = given
        return f"the odds are even with {even:,}, four in five with {most:,}"
    return "the odds are even with the lower number, four in five with the upper one"


def _range_text(even: int | None, most: int | None, noun: str) -> str | None:
    """Write a range of numbers: `3 to 20 more seeds`; None where four in five are out of reach."""
    if even is None or most is None:
        return None
    return number_of(most, noun) if even == most else f"{even:,} to {number_of(most, noun)}"


def _hours_text(price: Price, even: float | None, most: float | None, purpose: str = "") -> str:
    """Write a range of hours: of GPUs as hours, of cores in the unit that suits it."""
    if even is None or most is None:
        return ""
    unit, each = ("GPU-hours", 3600.0) if price.device == "GPU" else device_unit(3600 * most, price.device)
    low, high = (f"{3600 * hours / each:.2g}" for hours in (even, most))
    return f" ({high if low == high else f'{low} to {high}'} {unit}{purpose})"


def _settled_text(price: Price) -> str:
    """Name the question that is settled, by what the hypothesis expects."""
    match price.expect:
        case "better" | "worse":
            return "which is better" if price.margin is None else "whether they differ"
        case "equivalent":
            return f"whether they are as good within {points_text(price.margin or 0)}"
        case "not-worse":
            return f"whether it is at most {points_text(price.margin or 0)} worse"
        case _:
            assert_never(price.expect)


def _limit_text(price: Price) -> str:
    """Say why no number of seeds settles it, and from how many on the odds are even."""
    match price.limit:
        case "images":
            both = "" if price.more_examples is not None else ", so it takes more of both"
            return f"the choice of images leaves it open however many seeds there are{both}"
        case "effect":
            if price.even_seeds is None:
                return "the effect is within noise"
            even = number_of(price.even_seeds, "more seed") + _hours_text(price, *(price.even_seeds_gpu_hours,) * 2)
            return f"the effect is within noise, and the odds are even with {even}"
        case None:
            return "more seeds would"
        case _:
            assert_never(price.limit)
