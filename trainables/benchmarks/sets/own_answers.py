"""Read the references of a user's own sets: one reader for each family.

What has one plain meaning is read (a number where text is asked for, yes as true, an option by its letter); what could
mean two things is refused.
"""

from __future__ import annotations

from typing import Any

from search_spaces.errors import InputError
from trainables.benchmarks.files.record_fields import Fields, shown_value
from trainables.benchmarks.scorers import grounding
from trainables.benchmarks.scorers.boxes import Size
from trainables.benchmarks.scorers.instructions import LETTERS
from trainables.benchmarks.sets.own_fields import options_of, plain_text, require

_MOST_COUNTED = 10**9


def one_answer(row: Fields) -> str:
    """Read `answer`, the one text that is right; a list of one is that one."""
    if "answer" not in row and "answers" in row:
        way_out = "Several people's `answers` are the family vqa; here `answer` is one text."
        raise InputError("must be given, but the record has 'answers'", place=row.place, key="answer", way_out=way_out)
    require(row, "answer")
    value = row.plain("answer")
    if isinstance(value, list):
        if len(value) != 1:
            law = f"must be one text, but got a list of {len(value)}"
            raise InputError(
                law, place=row.place, key="answer", way_out="Of several, any right: `answers`, family vqa."
            )
        value = value[0]
    return plain_text(value, row.place, "answer")


def several_answers(row: Fields) -> list[str]:
    """Read `answers`: a list of texts or of `{"answer": text}`, or one text alone."""
    key = "answers" if "answers" in row or "answer" not in row else "answer"
    require(row, key)
    value = row.plain(key)
    if isinstance(value, dict):
        raise InputError("must be a list of answers, but is an object", place=row.place, key=key)
    entries = value if isinstance(value, list) else [value]
    texts = [plain_text(_entry(entry), row.place, key) for entry in entries]
    if not texts:
        raise InputError("must hold at least one answer, but is empty", place=row.place, key=key)
    return texts


def _entry(entry: Any) -> Any:
    return entry.get("answer") if isinstance(entry, dict) else entry


_YES_OR_NO = {"yes": "yes", "no": "no", "true": "yes", "false": "no"}


def yes_or_no(row: Fields) -> str:
    """Read yes or no in any case, or true or false."""
    require(row, "answer")
    value = row.plain("answer")
    word = str(value).lower() if isinstance(value, bool) else value
    known = _YES_OR_NO.get(word.strip().rstrip(".").lower()) if isinstance(word, str) else None
    if known is None:
        raise InputError(f"must be yes or no, but got {_got(value)}", place=row.place, key="answer")
    return known


def _got(value: Any) -> str:
    return repr(value[:60]) if isinstance(value, str) else shown_value(value)


def count(row: Fields) -> int:
    """Read a whole number from 0 on."""
    require(row, "answer")
    value = row.plain("answer")
    number = int(value) if isinstance(value, float) and value.is_integer() else row.whole("answer")
    if not 0 <= number < _MOST_COUNTED:
        raise InputError("must be a count from 0 on, below 1,000,000,000", place=row.place, key="answer")
    return number


def choice(row: Fields) -> int:
    """Read the right option: its position from 0, its text, or its letter. Refuses what names two of them."""
    require(row, "options")
    require(row, "answer")
    options, answer = options_of(row), row.plain("answer")
    if len(options) < 2:
        raise InputError(f"must be at least two, but there are {len(options)}", place=row.place, key="options")
    named = _named_options(answer, options)
    if len(named) == 1:
        return named.pop()
    law = "must be the position of one of the options (from 0), its letter, or its text"
    if named:
        both = " and ".join(repr(options[position]) for position in sorted(named))
        law += f", but {str(answer)[:40]!r} names {both}"
        raise InputError(law, place=row.place, key="answer", way_out="Write the text of the right one with its word.")
    raise InputError(f"{law}, but got {_got(answer)}", place=row.place, key="answer")


def _named_options(answer: Any, options: tuple[str, ...]) -> set[int]:
    """Find the positions of all options that an answer may mean."""
    if isinstance(answer, bool):
        return set()
    named = {n for n, option in enumerate(options) if option.strip() == str(answer).strip()}
    if isinstance(answer, int) and 0 <= answer < len(options):
        named.add(answer)
    if isinstance(answer, str):
        letter = answer.strip().strip("().")
        named |= {n for n in range(len(options)) if letter == LETTERS[n]}
        if not named:
            named = {n for n, option in enumerate(options) if option.strip().casefold() == answer.strip().casefold()}
    return named


def box(row: Fields) -> dict[str, list[float]]:
    """Read `box`, corners in px inside the image, and `size`, the image's width and height in px."""
    require(row, "box")
    require(row, "size")
    x0, y0, x1, y1 = row.box("box")
    sides = row.items("size")
    if len(sides) != 2 or not all(isinstance(s, int) and not isinstance(s, bool) and 0 < s < 10**6 for s in sides):
        raise InputError("must be the width and the height of the image, in px", place=row.place, key="size")
    size = Size(*sides)
    if not (0 <= x0 < x1 <= size.width and 0 <= y0 < y1 <= size.height):
        law = f"must be the corners x0, y0, x1, y1 of a box inside of {size.width} x {size.height} px, but got"
        way_out = "Of x, y, width and height the corners are x, y, x + width, y + height."
        raise InputError(f"{law} {[x0, y0, x1, y1]}", place=row.place, key="box", way_out=way_out)
    if max(x1, y1) <= 1 < min(size.width, size.height):
        way_out = "Multiply fractions by width and height."
        raise InputError("must be in px, but is smaller than one", place=row.place, key="box", way_out=way_out)
    return grounding.reference((x0, y0, x1, y1), size)
