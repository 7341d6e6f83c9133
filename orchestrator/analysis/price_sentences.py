"""Say in plain words what would decide an open hypothesis: a range, never a point, with the odds of its ends."""

from __future__ import annotations

from typing import assert_never

from orchestrator.analysis.number_text import gpu_hours_text
from orchestrator.analysis.verdict_model import Price
from search_spaces.quantities import number_of


def price_text(price: Price) -> str:
    """State what would decide: `3 to 20 more seeds of each arm (...) would settle which is better ...`.

    A range is from even odds to odds of four in five, for one look at the end: no number of seeds decides for certain.
    """
    ways = []
    seeds = _range_text(price.even_seeds, price.more_seeds, "more seed")
    if seeds is not None:
        sd = price.assumed_seed_sd
        given = f", assuming that scores vary over seeds by {sd:g} points," if sd is not None else ""
        ways.append(f"{seeds} of each arm{_hours_text(price.even_seeds_gpu_hours, price.seeds_gpu_hours)}{given}")
    examples = _range_text(price.even_examples, price.more_examples, "more example")
    if examples is not None:
        ways.append(f"{examples}{_hours_text(price.even_examples_gpu_hours, price.examples_gpu_hours, ' to score')}")
    settled = _settled_text(price)
    if ways:
        text = f"{' or '.join(ways)} would settle {settled}, with even odds for the lower number and four in five for "
        text += "the upper one, if looked at once"
        return text if seeds is not None else f"{text}; more seeds alone would not ({_limit_text(price)})"
    even = ""
    if price.even_seeds is not None:
        cost = _hours_text(price.even_seeds_gpu_hours, price.even_seeds_gpu_hours)
        even = f"; {number_of(price.even_seeds, 'more seed')} of each arm{cost} would with even odds"
    neither = "neither 100 more seeds nor 100 times as many examples would surely settle"
    return f"{neither} {settled}: {_limit_text(price)}{even}"


def _range_text(even: int | None, most: int | None, noun: str) -> str | None:
    """Write a range of numbers: `3 to 20 more seeds`; None where four in five are out of reach."""
    if even is None or most is None:
        return None
    return f"up to {number_of(most, noun)}" if even == most else f"{even:,} to {number_of(most, noun)}"


def _hours_text(even: float | None, most: float | None, purpose: str = "") -> str:
    if even is None or most is None:
        return ""
    low, high = (f"{hours:.2g}" for hours in (even, most))
    hours = f"up to {gpu_hours_text(float(high))}" if low == high else f"{low} to {gpu_hours_text(float(high))}"
    return f" ({hours}{purpose})"


def _settled_text(price: Price) -> str:
    """Name the question that is settled, by what the hypothesis expects."""
    match price.expect:
        case "better" | "worse":
            return "which is better" if price.margin is None else "whether they differ"
        case "equivalent":
            return f"whether they are as good within {price.margin:g} points"
        case "not-worse":
            return f"whether it is at most {price.margin:g} points worse"
        case _:
            assert_never(price.expect)


def _limit_text(price: Price) -> str:
    """Say why no number of seeds settles it."""
    match price.limit:
        case "images":
            return "the choice of images leaves it open however many seeds there are"
        case "effect":
            return "the effect is within noise"
        case None:
            return "more of them would"
        case _:
            assert_never(price.limit)
