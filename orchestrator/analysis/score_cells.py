"""Read the cells of a table of scores as numbers, however people write them: 71.2 +- 0.3, **62,3**, 1,510.7, 85 %."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

MISSING = frozenset(
    (
        *("", "-", "--", "---", "\u2013", "\u2014", ".", "?", "/", "\u2717", "\u00d7"),
        *("n/a", "na", "n.a.", "nan", "none", "null", "tbd", "#n/a"),
    )
)
"""What stands in cells without a score, in lower case; dashes and crosses among it."""
DecimalSign = Literal[".", ","]

_MARKS = re.compile(r"\\(?:textbf|underline|textit|emph|mathbf|textcolor\{\w+\}|color\{\w+\}|cellcolor\{\w+\})")
_DECORATION = "*`{}$\u2020\u2021\u00a7\u00b6\u2191\u2193\u25b2\u25bc\u2b06\u2b07"
_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2009\u202f\u2007", " "))
_CITATION = re.compile(r"~?\\cite\w*(?:\[[^\]]*\])*\{[^}]*\}")
_TAGS = re.compile(r"</?(?:b|strong|u|i|em|sup|sub|br)\s*/?>", re.IGNORECASE)
_SPREAD = re.compile(
    r"\s*(?:\u00b1|\+/-|\+-|\\pm)\s*[\d.,]+\s*(?:\\?%)?$|\s*\([+-]?[\d.,\s\u00b1]+\\?%?\)$|\s*\[[^\]]*\]$"
)
_GAIN = re.compile(r"(?<=\d)\s*[\u2191\u2193\u25b2\u25bc\u2b06\u2b07]\s*[+-]?[\d.,]+\s*\\?%?$")
"""A difference behind an arrow: 71.2 \u2191 1.3."""
_GROUPS = r"[+-]?[1-9]\d{0,2}"


@dataclass(frozen=True)
class Cell:
    """Text of a number without what stands around it."""

    number: str
    """Digits with signs; empty where there is no score."""
    has_spread: bool
    """Whether a spread or a difference stood after the number."""
    has_percent: bool

    @property
    def decimals(self) -> int:
        """Digits after the last decimal sign."""
        match = re.search(r"[.,](\d+)$", self.number)
        return len(match[1]) if match else 0


def bare(text: str, decoration: str = _DECORATION) -> str:
    """Take bold, colour, footnote signs and arrows off the text of a cell or a name."""
    text = _TAGS.sub("", _MARKS.sub("", _CITATION.sub("", text.translate(_SPACES))))
    text = text.translate(str.maketrans("", "", decoration)).replace("\u2212", "-").replace("\\,", " ")
    return re.sub(r"\\([_#%&])", r"\1", text).strip()


def read_cell(text: str) -> Cell:
    """Take everything off a cell that is not its number: marks, a percent sign, a spread in +- or brackets."""
    plain = "".join(sign for sign in text if unicodedata.category(sign) != "So")  # medals and the like
    without_gain = _GAIN.sub("", plain.strip())
    content = bare(without_gain, _DECORATION + "_^")
    if content.lower() in MISSING:
        return Cell("", False, False)
    number = _SPREAD.sub("", content) or content
    percent = re.sub(r"\s*\\?%$", "", number)
    has_spread = number != content or without_gain != plain.strip()
    return Cell(percent.strip(), has_spread, percent != number)


def decimal_signs(numbers: Iterable[str]) -> dict[DecimalSign, str]:
    """Find which decimal signs the numbers of a table can only be read with, each with the number that says so."""
    found: dict[DecimalSign, str] = {}
    for number in numbers:
        plain = number.replace(" ", "").replace("'", "")
        for sign, other in ((".", ","), (",", ".")):
            has_groups = re.fullmatch(rf"{_GROUPS}(?:{re.escape(other)}\d{{3}})+(?:{re.escape(sign)}\d+)?", plain)
            has_sign = re.fullmatch(rf"[+-]?(?:\d+(?:{re.escape(other)}\d{{3}})*)?{re.escape(sign)}\d+", plain)
            is_open = re.fullmatch(rf"{_GROUPS}{re.escape(sign)}\d{{3}}", plain)
            several = has_groups and plain.count(other) > 1
            if (has_sign and not is_open) or several:
                found.setdefault(sign, number)  # type: ignore[arg-type]  # the loop's signs are the literals
    return found


def ambiguous(numbers: Sequence[str]) -> str | None:
    """Find a number that is read with a decimal comma as well as with commas between thousands: 1,510."""
    return next((number for number in numbers if re.fullmatch(rf"{_GROUPS},\d{{3}}", number)), None)


def number_of_text(text: str, sign: DecimalSign) -> float | None:
    """Read a number with a decimal sign, thousands apart or not; None for what is no finite number.

    Args:
        text: a cell's `number`.
        sign: decimal sign of the table.
    """
    other = "," if sign == "." else "."
    plain = re.sub(r"(?<=\d)[ '](?=\d{3}(?!\d))", "", text)
    if re.fullmatch(rf"{_GROUPS}(?:{re.escape(other)}\d{{3}})+(?:{re.escape(sign)}\d*)?", plain):
        plain = plain.replace(other, "")
    if other in plain:
        return None
    plain = plain.replace(sign, ".")
    if not re.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", plain):
        return None
    number = float(plain)
    return number if math.isfinite(number) else None
