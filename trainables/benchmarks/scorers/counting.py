"""Find the count in an answer, by the rules of several programs."""

from __future__ import annotations

import re

from trainables.benchmarks.contract import UNPARSABLE, Example, Parsed

TO_TWENTY = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_FIRST_COUNT = re.compile(rf"\b(?:[0-9]|1[0-9]|20|{'|'.join(TO_TWENTY)})\b")
_DECIMAL = re.compile(r"-?[0-9]{1,15}\.[0-9]{1,15}")
_MOST = 10**9
"""Larger counts are cut off: their square must stay a finite number."""


def digits_else_zero(output: str, example: Example) -> Parsed:
    """Read a count as TallyQA's code: digits alone; a decimal number (a regression) is rounded; anything else is 0."""
    if output.isdecimal():
        return Parsed(int(output) if len(output) < 10 else _MOST)
    if _DECIMAL.fullmatch(output):
        return Parsed(max(-_MOST, min(_MOST, round(float(output)))))
    return Parsed(0, ok=False)


def first_count_to_twenty(output: str, example: Example) -> Parsed:
    """Find a count as VLMEvalKit: the first 0 to 20, in digits or words, that stands alone."""
    match = _FIRST_COUNT.search(output.lower())
    if match is None:
        return UNPARSABLE
    number = match.group()
    return Parsed(TO_TWENTY.index(number) if number in TO_TWENTY else int(number))
