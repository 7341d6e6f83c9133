"""Read answers to sets of a user's own: what is plainly said is read, anything else is unparsable, never a default."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from trainables.benchmarks.contract import UNPARSABLE, Example, Parsed
from trainables.benchmarks.model_text import bare_answer
from trainables.benchmarks.scorers import boxes
from trainables.benchmarks.scorers.choices import letters
from trainables.benchmarks.scorers.counting import TO_TWENTY
from trainables.benchmarks.scorers.instructions import LETTERS
from trainables.benchmarks.scorers.soft_accuracy import Normaliser, soft_accuracy

ANNOTATORS = 10
"""For so many references VQA's rule was made: an answer that three *other* people gave is right."""
_SHARE = 0.3
"""Of fewer references, the share that makes an answer right in full: three of ten."""

TRUTH = {"yes": True, "true": True, "1": True, "y": True, "no": False, "false": False, "0": False, "n": False}
_LEADING_TRUTH = re.compile(
    r"(yes|no|true|false)(?:\s*[,.;:!\n\u2013\u2014-]|\s+(?:it|there|he|she|they|this|that|the|i|we|you)\b)"
)


def yes_or_no(output: str, example: Example) -> Parsed:
    """Read yes or no, also as true or false, 1 or 0, alone or at the head of a sentence that says nothing else."""
    answer = bare_answer(output).casefold()
    leading = _LEADING_TRUTH.match(answer)
    truth = TRUTH.get(answer.rstrip("!") or answer)
    if truth is None and leading:
        truth = TRUTH[leading.group(1)]
        others = {word for word, value in TRUTH.items() if value is not truth and len(word) > 1}
        if others & set(re.findall(r"[a-z]+", answer)):
            return UNPARSABLE
    return UNPARSABLE if truth is None else Parsed("yes" if truth else "no")


_ALONE = re.compile(r"[(\[]?([A-Za-z])[)\].:]*|(?:option|choice|letter)\s+[(\[]?([A-Za-z])[)\].:]*", re.IGNORECASE)
_WITH_TEXT = re.compile(r"[(\[]?([A-Za-z])[)\].:]+\s*(.+)", re.DOTALL)


def lettered(output: str, example: Example) -> Parsed:
    """Read a letter in any case, with brackets or its own option's text, or the text of one option alone.

    A letter beside another option's text, or a text that several options have, is unparsable. Where options are
    letters themselves, a capital is the letter that was asked for.
    """
    answer = bare_answer(output)
    named = _named(answer, example)
    if len(named) == 2 and answer.isupper():
        return Parsed(_letter(answer, example))
    return Parsed(named.pop()) if len(named) == 1 else UNPARSABLE


def text_or_letter(output: str, example: Example) -> Parsed:
    """Read an option as `lettered`, where no letter was asked for: what names two options is unparsable."""
    named = _named(bare_answer(output), example)
    return Parsed(named.pop()) if len(named) == 1 else UNPARSABLE


def _named(answer: str, example: Example) -> set[int]:
    positions = (_with_text(answer, example), _letter(answer, example))
    return {position for position in positions if position is not None}


def _with_text(answer: str, example: Example) -> int | None:
    texts = [bare_answer(option).casefold() for option in example.options]
    return texts.index(answer.casefold()) if texts.count(answer.casefold()) == 1 else None


def _letter(answer: str, example: Example) -> int | None:
    """Find the letter that stands alone, or before its own option's text, or before a text that is no option."""
    alone, beside = _ALONE.fullmatch(answer), _WITH_TEXT.fullmatch(answer)
    name = (alone.group(1) or alone.group(2)) if alone else beside.group(1) if beside else ""
    if name.upper() not in letters(example):
        return None
    position = LETTERS.index(name.upper())
    if alone or beside is None:
        return position
    texts = [bare_answer(option).casefold() for option in example.options]
    rest = bare_answer(beside.group(2)).casefold()
    if rest in texts:
        return position if texts[position] == rest else None
    return position if name.isupper() else None


_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d{1,9})"
_WORDS = "|".join(TO_TWENTY)
_WHOLE_COUNT = re.compile(rf"({_NUMBER})(?:\.0+)?|({_WORDS})", re.ASCII)
_FIRST_COUNT = re.compile(rf"(?<![\w.,:/-])({_NUMBER}|{_WORDS})(?![\w/:%]|[.,-]\w| (?:{_WORDS})\b)", re.ASCII)
_ANY_NUMBER = re.compile(rf"\d+|\b(?:{_WORDS})\b", re.ASCII)


def whole_count(output: str, example: Example) -> Parsed:
    """Read a count that is the whole answer, in digits (1,000 and 3.0, too) or in a word up to twenty."""
    match = _WHOLE_COUNT.fullmatch(bare_answer(output).casefold())
    if match is None:
        return UNPARSABLE
    return Parsed(_count(match.group(1) or match.group(2)))


def only_count(output: str, example: Example) -> Parsed:
    """Read the one count that an answer holds: "There are 3 dogs." Of several, none is chosen."""
    whole = whole_count(output, example)
    if whole.ok:
        return whole
    answer = bare_answer(output).casefold()
    counts = _FIRST_COUNT.findall(answer)
    numbers = _ANY_NUMBER.findall(answer.replace(",", ""))
    return Parsed(_count(counts[0])) if len(counts) == len(numbers) == 1 else UNPARSABLE


def _count(text: str) -> int:
    return TO_TWENTY.index(text) if text in TO_TWENTY else int(text.replace(",", ""))


def one_box(output: str) -> boxes.ParsedBox | None:
    """Find the only box of an answer: four numbers in brackets, or four in all; None if it is reversed or empty."""
    answer = bare_answer(output)
    parsed = boxes.tolerant(answer) if boxes.holds_one(answer) else None
    if parsed is None or not (parsed.box[0] < parsed.box[2] and parsed.box[1] < parsed.box[3]):
        return None
    return parsed


def short_text(normaliser: Normaliser) -> Normaliser:
    """Make a normaliser of bare answers that never leaves nothing of something: "a" is no empty answer.

    VQA's normaliser drops articles and signs, so that "A" and "?" become the same empty text.
    """

    def normalise(text: str) -> str:
        bare = bare_answer(text)
        return normaliser(bare) or bare.casefold()

    return normalise


def right_share(answer: str, references: Sequence[str]) -> float:
    """Compute the score of an answer, 0 to 1, for any number of references.

    Of ten or more, VQA's rule. Of fewer, which that rule cannot give 1 (one reference has no others), the number of
    equal references by three tenths of all, or by the count of the most frequent one if that is less: what most people
    said is right in full.

    Args:
        answer: the normalised answer.
        references: the normalised references, one at least.
    """
    if len(references) >= ANNOTATORS:
        return soft_accuracy(answer, references)
    counts = Counter(references)
    needed = min(max(1.0, _SHARE * len(references)), max(counts.values()))
    return min(1.0, counts[answer] / needed)


def exact_text(normaliser: Normaliser) -> Callable[[str, Example], Parsed]:
    """Make a parser of short answers; an output that holds none is unparsable."""
    normalise = short_text(normaliser)

    def parse(output: str, example: Example) -> Parsed:
        text = normalise(output)
        return Parsed(text) if text else UNPARSABLE

    return parse
