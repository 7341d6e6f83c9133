"""Verdicts in plain words: the sentence, and the reasons behind it."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.analysis.intervals import Interval
from orchestrator.analysis.verdicts import Outcome, Price, Ruling, Unit
from search_spaces.study import Hypothesis

_FOUND: dict[Outcome, str] = {
    "better": "Better",
    "worse": "Worse",
    "equivalent": "Equivalent",
    "not-worse": "Not worse",
    "undecided": "Undecided",
}
_STATED: dict[Outcome, str] = {
    "better": "a difference upwards",
    "worse": "a difference downwards",
    "equivalent": "equivalence",
    "not-worse": "that it is not worse",
    "undecided": "nothing",
}


def found_words(
    outcome: Outcome,
    effect: float | None,
    unit: Unit,
    interval: Interval | None,
    level: float,
    basis: Sequence[str],
    margin: float | None = None,
) -> str:
    """`Better: +2.1 points (95 % interval +0.4 to +3.8; 3 seeds, 5,000 examples).`"""
    if effect is None:
        return "Not compared."
    found = _FOUND[outcome]
    if outcome in ("equivalent", "not-worse") and margin is not None:
        found += f" within {margin:g} {unit}"
    spread = f"{100 * level:g} % interval {signed(interval.low)} to {signed(interval.high)}; " if interval else ""
    return f"{found}: {signed(effect)} {unit} ({spread}{', '.join(basis)})."


def ruling_reasons(
    hypothesis: Hypothesis,
    ruling: Ruling,
    interval: Interval | None,
    alpha: float,
    corrected: bool,
    second: str = "other estimate of the seeds' spread",
) -> list[str]:
    """Why the verdict is not stronger, and what it says of the claim. `second` names what must agree."""
    reasons = []
    if ruling.vetoed is not None:
        reasons.append(f"the interval alone would show {_STATED[ruling.vetoed]}, but the {second} does not confirm it")
    if ruling.corrected is not None:
        reasons.append(
            f"on its own the test would show {_STATED[ruling.corrected]}, but not among all hypotheses together "
            f"(Holm: p {p_text(ruling.p_adjusted)})"
        )
    if ruling.verdict == "undecided" and not reasons and interval is not None:
        words = "the interval holds 0" if not interval.excludes_zero else f"p {p_text(ruling.p)} is above {alpha:g}"
        reasons.append(f"{words}: neither a difference nor its absence is shown")
    if not corrected and ruling.verdict in ("better", "worse") and ruling.p_adjusted > alpha:
        reasons.append(f"it would not stand among all claims together (Holm: p {p_text(ruling.p_adjusted)})")
    if ruling.holds is None and ruling.verdict in ("better", "worse"):
        reasons.append(
            f"there is a difference, but whether it is larger than the margin of {hypothesis.margin:g} is open"
        )
    return reasons


def signed(value: float) -> str:
    """`+1.2`, `-0.4`, `0.0`; two decimals below one tenth."""
    decimals = 1 if abs(value) >= 0.095 or value == 0 else 2
    text = f"{value:+.{decimals}f}"
    return "0.0" if float(text) == 0 else text


def range_text(values: tuple[float, float] | None, unknown: str) -> str:
    """`0.4 to 1.2`; one number where both look alike."""
    if values is None:
        return unknown
    low, high = (f"{value:.2g}" for value in values)
    return low if low == high else f"{low} to {high}"


def spread_of(source: str) -> str:
    """Where a spread over seeds comes from, behind the word: `of its own seeds`, `pooled over the arms`."""
    return "of its own seeds" if source == "own" else "pooled over the arms"


def p_text(p: float) -> str:
    """`.00558`, `7.11e-08`: three significant digits."""
    return f"{p:.3g}".replace("0.", ".", 1) if p >= 1e-4 else f"{p:.2e}"


def number_of(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def price_words(price: Price) -> str:
    """`about 4 more seeds of each arm (0.3 GPU-hours) or 12,000 more examples would decide, if ...`."""
    ways = []
    if price.more_seeds is not None:
        cost = f" ({hours(price.seeds_gpu_hours)})" if price.seeds_gpu_hours is not None else ""
        sd = price.assumed_seed_sd
        given = f", assuming that scores vary over seeds by {sd:g} points," if sd is not None else ""
        ways.append(f"{number_of(price.more_seeds, 'more seed')} of each arm{cost}{given}")
    if price.more_examples is not None:
        cost = f" ({hours(price.examples_gpu_hours)} to score)" if price.examples_gpu_hours is not None else ""
        ways.append(f"{price.more_examples:,} more examples{cost}")
    if not ways:
        return "an effect of this size would not be decided by 100 more seeds or 100 times as many examples alone"
    return f"{' or '.join(ways)} would decide with 80 % power, if the effect is as seen"


def hours(gpu_hours: float) -> str:
    return f"{gpu_hours:.3g} GPU-hours"
