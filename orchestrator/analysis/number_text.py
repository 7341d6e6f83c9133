"""Numbers and lists as they are printed: with a sign, as a range, as a p value, with a noun."""

from __future__ import annotations

from collections.abc import Sequence


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


def p_text(p: float) -> str:
    """`.00558`, `7.11e-08`: three significant digits."""
    return f"{p:.3g}".replace("0.", ".", 1) if p >= 1e-4 else f"{p:.2e}"


def gpu_hours_text(gpu_hours: float) -> str:
    """`0.3 GPU-hours`, three significant digits."""
    return f"{gpu_hours:.3g} GPU-hours"


def listed(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
