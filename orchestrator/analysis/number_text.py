"""Numbers and lists as they are printed: with a sign, as a range, as a p value, with a noun."""

from __future__ import annotations

from collections.abc import Iterable


def signed(value: float) -> str:
    """Write a difference: `+1.2`, `-0.4`, `0.0`; two decimals below one tenth."""
    decimals = 1 if abs(value) >= 0.095 or value == 0 else 2
    text = f"{value:+.{decimals}f}"
    return "0.0" if float(text) == 0 else text


def ends_text(low: float, high: float) -> str:
    """Write the ends of an interval of a difference: `+0.4 to +3.8`; with more digits where both would look alike."""
    ends = signed(low), signed(high)
    decimals = 2
    while ends[0] == ends[1] and low != high and decimals < 6:
        ends = f"{low:+.{decimals}f}", f"{high:+.{decimals}f}"
        decimals += 1
    return " to ".join(ends)


def range_text(values: tuple[float, float] | None, unknown: str) -> str:
    """Write a range: `0.4 to 1.2`; one number where both look alike, `unknown` where there is none."""
    if values is None:
        return unknown
    low, high = (f"{value:.2g}" for value in values)
    return low if low == high else f"{low} to {high}"


def p_text(p: float) -> str:
    """Write a p value with three significant digits: `.00558`, `7.11e-08`."""
    return f"{p:.3g}".replace("0.", ".", 1) if p >= 1e-4 else f"{p:.2e}"


def points_text(points: float) -> str:
    """Write a number of points: `1 point`, `0.5 points`."""
    return "1 point" if points == 1 else f"{points:g} points"


def listed(parts: Iterable[str]) -> str:
    """Join names: `a, b and c`. There must be one at least."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
