"""Join answers to questions by what names these in both, never by position alone.

Ids come first. Where a file has none, or those of somebody's version of a set, the text of the questions joins: with
their image, as one question of its own, or in the order of the references if every line asks what stands there.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from search_spaces.errors import InputError
from trainables.benchmarks.answers.fields import NAMES, POSITIONS, Answer, words_of
from trainables.benchmarks.answers.problems import KindsOfProblems
from trainables.benchmarks.contract import Example

_KNOWN = 0.5
"""Share of records whose names must be known for a field to count as the one that names the question."""
_DISAGREE = 0.1
"""Largest share of records that may ask otherwise than the question which their id names."""
_SHOWN = 3
_SHORTENED = re.compile(r"\d[.,]\d+e\+\d+", re.IGNORECASE)
_PER_SPLIT = "Give the references of one split, or one file of answers per split, with its name in the file's"


@dataclass(frozen=True)
class Joined:
    """Answers with the ids of their questions."""

    names: Sequence[str]
    """Of each answer, in the order of the file; ids that are not there stay as they are written."""
    how: str
    """What joined them, in words."""
    notes: tuple[str, ...] = ()


def join(answers: Sequence[Answer], examples: Sequence[Example], place: str) -> Joined:
    """Find the question of every answer.

    Args:
        answers: of one file.
        examples: all questions.
        place: the file, for errors.

    Raises:
        InputError: where nothing names the questions, or what does contradicts itself.
    """
    ids = _Ids(examples)
    there = {key for answer in answers for key in answer.names}
    by_id = [_by_field(key, answers, ids) for key in NAMES if key in there]
    known = [joined for joined in by_id if joined.share >= _KNOWN]
    sure = [joined for joined in known if not joined.is_contradicted and joined.key not in POSITIONS]
    positions = [joined for joined in known if joined.key in POSITIONS]
    sure += [joined for joined in positions if joined.is_confirmed or _are_real_ids(joined, examples)]
    if not sure and not known:
        sure = [joined for joined in by_id if joined.share > 0 and joined.key not in POSITIONS]
    if sure:
        _check_agreement([joined for joined in sure if joined.key not in POSITIONS], place)
        best = max(sure, key=lambda joined: joined.share)
        _check_named(best.key, answers)
        return Joined(best.names, f"by {best.key}", _disagreements(best))
    if any(joined.is_contradicted and joined.is_exact and joined.key not in POSITIONS for joined in known):
        raise _unjoined(answers, examples, by_id, known, place)
    found = _by_image_and_question(answers, examples) or _in_order(answers, examples) or _by_question(answers, examples)
    if found is not None:
        return found
    raise _unjoined(answers, examples, by_id, known, place)


@dataclass(frozen=True)
class _ByField:
    """Attempt to join by one field."""

    key: str
    names: Sequence[str]
    share: float
    """Of the answers whose question is known."""
    contradicting: Sequence[tuple[Answer, Example]]
    """Answers that ask otherwise than the question which they name."""
    confirmed: int
    """Answers that ask what the question which they name asks."""

    exact: int
    """Answers that write the id as the references do."""

    @property
    def is_exact(self) -> bool:
        return 2 * self.exact > len(self.names)

    @property
    def is_contradicted(self) -> bool:
        return len(self.contradicting) > _DISAGREE * (self.confirmed + len(self.contradicting))

    @property
    def is_confirmed(self) -> bool:
        return self.confirmed > 0 and not self.contradicting and self.share == 1


class _Ids:
    """Examples by their ids."""

    def __init__(self, examples: Sequence[Example]):
        self.by_id = {example.id: example for example in examples}

    @cached_property
    def _spelled(self) -> dict[str, str]:
        return _spellings(list(self.by_id.values()))

    def find(self, name: str, category: str) -> str | None:
        """Find the id that a name is, or is another spelling of."""
        if category and f"{category}/{name}" in self.by_id:
            return f"{category}/{name}"
        return name if name in self.by_id else self._spelled.get(name)


def _by_field(key: str, answers: Sequence[Answer], ids: _Ids) -> _ByField:
    names, contradicting, confirmed, known, exact = [], [], 0, 0, 0
    for answer in answers:
        name = answer.names.get(key, "")
        found = ids.find(name, answer.category)
        names.append(found or name)
        if found is None:
            continue
        known += 1
        exact += found == name
        asks = _asks(answer, ids.by_id[found]) if answer.question else None
        confirmed += asks is True
        if asks is False:
            contradicting.append((answer, ids.by_id[found]))
    return _ByField(key, names, known / len(answers), contradicting, confirmed, exact)


def _are_real_ids(joined: _ByField, examples: Sequence[Example]) -> bool:
    """Tell whether numbers are all ids of a set and no mere count, which 0 to n - 1 and 1 to n may be."""
    ids = {example.id for example in examples}
    if joined.contradicting or set(joined.names) != ids or joined.exact < len(joined.names):
        return False
    return all({str(first + n) for n in range(len(ids))} != ids for first in (0, 1))


def _spellings(examples: Sequence[Example]) -> dict[str, str]:
    """List how else ids are written: without a split, a suffix or zeros at the start, each where only one id fits."""
    others = Counter[str]()
    ids: dict[str, str] = {}
    for example in examples:
        short = example.id.rpartition("/")[2]
        stem = short.rpartition(".")[0] if short.lower().endswith((".jpg", ".jpeg", ".png")) else short
        for other in {short, stem, stem.lstrip("0") if stem.isdigit() else stem} - {example.id, ""}:
            others[other] += 1
            ids[other] = example.id
    return {other: ids[other] for other, n in others.items() if n == 1} | {
        example.id: example.id for example in examples
    }


def _asks(answer: Answer, example: Example) -> bool | None:
    """Tell whether an answer's question is that of an example; None where the record says nothing of it."""
    if not answer.question:
        return None
    question = words_of(example.question)
    return _holds(answer.question, question) or _holds(question, answer.question) if question else None


def _holds(text: str, words: str) -> bool:
    return f" {words} " in f" {text} "


def _check_agreement(joins: Sequence[_ByField], place: str) -> None:
    """Refuse two fields that both name questions, but different ones."""
    for first, second in itertools.combinations(joins, 2):
        differing = [i for i, (a, b) in enumerate(zip(first.names, second.names, strict=True)) if a != b]
        if first.share == second.share == 1 and differing:
            example = f"{first.names[differing[0]]} and {second.names[differing[0]]}"
            raise InputError(
                f"{first.key} and {second.key} both are ids of questions, but name different ones: {example}",
                place=place,
                way_out='Keep one of them, as "id".',
            )


def _check_named(key: str, answers: Sequence[Answer]) -> None:
    problems = KindsOfProblems()
    for answer in answers:
        if key not in answer.names:
            problems.add("must be text or a whole number", answer.place, key)
    problems.raise_all()


def _disagreements(joined: _ByField) -> tuple[str, ...]:
    if not joined.contradicting:
        return ()
    answer, example = joined.contradicting[0]
    n = len(joined.contradicting)
    return (
        f"{n:,} of {len(joined.names):,} answers ask otherwise than the question of their {joined.key},"
        f" e.g. {example.id}: {answer.question[:60]!r}, not {words_of(example.question)[:60]!r}",
    )


def _by_image_and_question(answers: Sequence[Answer], examples: Sequence[Example]) -> Joined | None:
    """Join by image and question, where both tell all questions apart and every answer has one of them."""
    asked = _unique(((_stem(example.image or ""), words_of(example.question)), example.id) for example in examples)
    questions: dict[str, list[tuple[str, str]]] = {}
    for image, question in asked:
        questions.setdefault(image, []).append((question, asked[image, question]))
    names = []
    for answer in answers:
        images = {_stem(answer.image), *(_stem(name) for name in answer.names.values())} & questions.keys()
        fitting = [
            (len(question), name)
            for image in images
            for question, name in questions[image]
            if question and _holds(answer.question, question)
        ]
        if not fitting:
            return None
        longest = max(fitting)[0]
        best = [name for length, name in fitting if length == longest]
        if len(best) > 1:
            return None
        names.append(best[0])
    return Joined(names, "by image and question")


def _unique(pairs: Iterable[tuple[tuple[str, str], str]]) -> dict[tuple[str, str], str]:
    pairs = list(pairs)
    counts = Counter(key for key, _ in pairs)
    return {key: name for key, name in pairs if counts[key] == 1}


def _stem(image: str) -> str:
    name = image.rpartition("/")[2]
    return name.rpartition(".")[0] if "." in name else name


def _in_order(answers: Sequence[Answer], examples: Sequence[Example]) -> Joined | None:
    """Join by position, where every answer asks what its question asks in one order of the splits alone."""
    if len(answers) != len(examples):
        return None
    splits: dict[str, list[Example]] = {}
    for example in examples:
        splits.setdefault(example.id.rpartition("/")[0], []).append(example)
    found = []
    for order in itertools.permutations(splits) if len(splits) <= 4 else [tuple(splits)]:
        placed = [example for split in order for example in splits[split]]
        if all(_asks(answer, example) for answer, example in zip(answers, placed, strict=True)):
            found.append(placed)
    if len(found) != 1:
        return None
    return Joined([example.id for example in found[0]], "in their order, as every one asks what stands there")


def _by_question(answers: Sequence[Answer], examples: Sequence[Example]) -> Joined | None:
    """Join by question, where no two of the set are the same and every answer has one of them."""
    asked = {words_of(example.question): example.id for example in examples}
    if len(asked) < len(examples) or any(answer.question not in asked for answer in answers):
        return None
    return Joined([asked[answer.question] for answer in answers], "by question")


def _unjoined(
    answers: Sequence[Answer],
    examples: Sequence[Example],
    by_id: Sequence[_ByField],
    known: Sequence[_ByField],
    place: str,
) -> InputError:
    """Say why nothing joins a file."""
    ids = f"questions have ids such as {', '.join(example.id for example in examples[:_SHOWN])}"
    way_out = 'Write {"id": ..., "prediction": ...} per line, with the ids of docs/benchmarks.md.'
    named = [f"{joined.key} ({', '.join(joined.names[:_SHOWN])})" for joined in by_id]
    contradicted = next((joined for joined in known if joined.is_contradicted), None)
    if contradicted is not None:
        answer, example = contradicted.contradicting[0]
        law = (
            f"an answer must be to the question that it names, but by {contradicted.key}"
            f" {len(contradicted.contradicting):,} of {len(answers):,} ask otherwise:"
            f" {example.id} is {example.question[:80]!r}, but it is {answer.question[:80]!r}"
        )
        return InputError(law, place=answer.place, way_out=way_out)
    if any(_SHORTENED.fullmatch(name) for joined in by_id for name in joined.names[:_SHOWN]):
        law = f"ids must be complete, but a spreadsheet program has shortened them: {', '.join(named)}"
        return InputError(law, place=place, way_out=way_out)
    if known:
        law = f"{known[0].key} counts lines of somebody's version of the set; without its questions nothing shows which"
        return InputError(f"{law}; {ids}", place=place, way_out=way_out)
    if not any(answer.question for answer in answers):
        law = f"nothing names the questions: {'no id is known, of ' + '; '.join(named) if named else 'there is no id'}"
        return InputError(f"{law}; {ids}", place=place, way_out=way_out)
    return _out_of_order(answers, examples, place, way_out)


def _out_of_order(answers: Sequence[Answer], examples: Sequence[Example], place: str, way_out: str) -> InputError:
    """Say where a file without known ids leaves the order of the references."""
    if len(answers) != len(examples):
        law = f"answers without known ids must be one to each of {len(examples):,} questions, but are {len(answers):,}"
        splits = sorted({example.id.rpartition("/")[0] for example in examples} - {""})
        hint = f"{_PER_SPLIT} ({', '.join(splits)}). " if len(splits) > 1 else ""
        return InputError(law, place=place, way_out=hint + way_out)
    wrong = [pair for pair in zip(answers, examples, strict=True) if not _asks(*pair)]
    if not wrong:
        law = "answers without known ids must ask what tells them apart, but several splits ask the same in this order"
        return InputError(law, place=place, way_out=f"{_PER_SPLIT}. {way_out}")
    answer, example = wrong[0]
    law = (
        f"answers without known ids must ask the questions in their order, but {len(wrong):,} of {len(answers):,} do"
        f" not: here should be {example.question[:80]!r}, but it is {answer.question[:80]!r}"
    )
    return InputError(law, place=answer.place, way_out=way_out)
