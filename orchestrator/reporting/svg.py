"""A small writer of SVG: elements as text, coordinates along the width in percent, so that a figure fits any page
and its letters keep their size. Colours and fonts are the page's: elements carry classes only."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape


def element(name: str, *children: str, **attributes: object) -> Markup:
    """Write `<name ...>children</name>`; text is escaped, `None` is left out, `_` in names becomes `-`."""
    written = "".join(
        f' {key.strip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(map(escape, children))
    return Markup(f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>")


def titled(name: str, title: str, **attributes: object) -> Markup:
    """Write a mark that says its numbers where a pointer rests on it."""
    return element(name, element("title", title), **attributes)


def figure_svg(children: Iterable[str], height: float, class_: str, label: str | None = None) -> Markup:
    """Write a drawing that is as wide as its place.

    Args:
        children: elements.
        height: in pixels.
        class_: of the page's style sheet.
        label: for screen readers; None: they skip it, as it only repeats numbers beside it.
    """
    spoken = {"role": "img", "aria_label": label} if label is not None else {"aria_hidden": "true"}
    title = [element("title", label)] if label is not None else []
    return element("svg", *title, *children, class_=class_, height=height, width="100%", **spoken)


def percent(value: float) -> str:
    """Write a share as a percentage of the width."""
    return f"{_plain(100 * value)}%"


@dataclass(frozen=True)
class Scale:
    """From values to 0..1, with round ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @staticmethod
    def over(values: Iterable[float], *, n_ticks: int = 5, margin: float = 0.04, zero: bool = False) -> Scale:
        """Make a scale that holds all of these values.

        Args:
            values: in any order; none: 0 to 1.
            n_ticks: about so many.
            margin: at both ends, as a share of the range.
            zero: whether 0 must be on it.
        """
        known = [*values, *([0.0] if zero else [])]
        low, high = (min(known), max(known)) if known else (0.0, 1.0)
        if high - low < 1e-9:
            low, high = low - 1, high + 1
        room = margin * (high - low)
        low, high = low - room, high + room
        step = _round_step((high - low) / n_ticks)
        first, last = math.ceil(low / step), math.floor(high / step)
        return Scale(low, high, tuple(round(i * step, 10) for i in range(first, last + 1)))

    def at(self, value: float) -> float:
        """Map a value to its share of the range, 0 to 1."""
        return (value - self.low) / (self.high - self.low)

    def x(self, value: float) -> str:
        """Map a value to its place along the width, in percent."""
        return percent(self.at(value))

    def y(self, value: float, height: float) -> float:
        """Map a value to pixels from the top of a drawing of this height."""
        return height * (1 - self.at(value))


def tick_text(value: float) -> str:
    """Write the number of a tick."""
    return f"{value:g}"


def _round_step(rough: float) -> float:
    """Round up to 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _plain(value: object) -> object:
    """Write numbers with at most two decimals, so that the last bits of a float change no byte."""
    if not isinstance(value, float):
        return value
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
