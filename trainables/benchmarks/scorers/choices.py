"""Find the lettered option that an output names, by the rules of several programs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trainables.benchmarks.contract import UNPARSABLE, Example, Parsed
from trainables.benchmarks.scorers.instructions import LETTERS
from trainables.benchmarks.scorers.normalisers import without_ascii_punctuation
from trainables.benchmarks.scorers.yes_no import option


def letters(example: Example) -> tuple[str, ...]:
    return tuple(LETTERS[: len(example.options)])


def letter(output: str, example: Example) -> Parsed:
    """Find the position of the option that was ranked first, or whose letter alone is the output."""
    name = option(output, letters(example))
    return UNPARSABLE if name is None else Parsed(LETTERS.index(name))


def letter_or_text(output: str, example: Example) -> Parsed:
    """Read a letter alone, bare or in brackets, with or without its text after it, or the text of one option alone."""
    text = output.strip()
    match = re.match(r"[(\[*]*([A-Za-z])(?:[)\]*.:]|$)", text)
    if match and match.group(1).upper() in letters(example):
        return Parsed(LETTERS.index(match.group(1).upper()))
    answer = text.rstrip(".").casefold()
    positions = [n for n, choice in enumerate(example.options) if choice.strip().casefold() == answer]
    return Parsed(positions[0]) if len(positions) == 1 else UNPARSABLE


def lmms_letter(output: str, example: Example) -> Parsed:
    """Read the letter as lmms-eval: of `C. ...` at the start, else the whole output; no case, no ASCII punctuation."""
    match = re.match(r"\s*([A-Z])\.", output)
    name = without_ascii_punctuation((match.group(1) if match else output).strip().lower()).upper()
    return Parsed(LETTERS.index(name)) if len(name) == 1 and name in letters(example) else UNPARSABLE


_REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)
_NONE_OF_THEM = -1
_DELIMITERS = str.maketrans(".()[],:;!*#{}", " " * 13)
_ANSWER_IS = re.compile(r"(?i)(?:correct\s+)?answer\s+is\s+\**([ABCD])\**")


def vlmevalkit_letter(output: str, example: Example) -> Parsed:
    """Read the letter as VLMEvalKit without a judge: in the last four words, "answer is X", or one option's text."""
    names = letters(example)
    if not any(refusal in output for refusal in _REFUSALS):
        position = _last_words(output, names)
        if position is None:
            position = _text_inside(output, example.options)
        if position is not None and position != _NONE_OF_THEM:
            return Parsed(position)
    return UNPARSABLE


def _last_words(output: str, names: Sequence[str]) -> int | None:
    """Find the position of the option letter; -1 for Z, None without a letter."""
    if "Failed to obtain answer via API" in output:
        return None
    words = output.translate(_DELIMITERS).split()
    present = [name for name in names if name in words]
    if len(present) == 1 and words.index(present[0]) > len(words) - 5:
        return names.index(present[0])
    if not present and "Z" in words:
        return _NONE_OF_THEM
    match = _ANSWER_IS.search(output)
    if match and match.group(1).upper() in names:
        return names.index(match.group(1).upper())
    return None


def _text_inside(output: str, options: Sequence[str]) -> int | None:
    answer = output.lower()
    if len(answer) > 2 * sum(map(len, options)):
        return None
    inside = [number for number, text in enumerate(options) if text.lower() in answer]
    return inside[0] if len(inside) == 1 else None


def equals_position(parsed: Parsed, example: Example) -> float:
    return float(parsed.value is not None and parsed.value == example.reference)
