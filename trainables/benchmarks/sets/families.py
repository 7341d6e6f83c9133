"""Define families: ways of asking and scoring, for evaluation sets of a user's own.

A set is one file, JSON Lines or a JSON list, with a record per question: `id`, `image` (a path below the images),
`question` and, by family, `answers` (vqa), `answer` (exact, yes-no, counting), `options` and `answer` (multiple-choice:
the position or the text of the right one), `box` and `size` (grounding: corners and the image's width and height, in
px). `groups`, an object of texts, names the groups of results that the question belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from search_spaces.errors import InputError
from trainables.benchmarks.contract import Benchmark, Example, Parsed, Protocol, Row, Summary, Totals
from trainables.benchmarks.files.record_fields import Fields
from trainables.benchmarks.files.reference_files import Document, ReferenceFiles, WantedFile
from trainables.benchmarks.scorers import grounding, normalisers
from trainables.benchmarks.scorers.boxes import Size
from trainables.benchmarks.scorers.choices import equals_position, letter, letter_or_text, letters
from trainables.benchmarks.scorers.counting import digits_else_zero, first_count_to_twenty
from trainables.benchmarks.scorers.instructions import multiple_choice, short_answer
from trainables.benchmarks.scorers.soft_accuracy import each, soft_protocol
from trainables.benchmarks.scorers.summaries import accuracy, accuracy_by
from trainables.benchmarks.scorers.yes_no import decisions, either, equals_reference, first_sentence
from trainables.benchmarks.sets.vqav2 import answers_of


def _answers(row: Fields) -> Any:
    return answers_of(row)


def _answer(row: Fields) -> Any:
    return row.text("answer")


def _yes_or_no(row: Fields) -> Any:
    answer = row.text("answer").strip().lower()
    if answer not in ("yes", "no"):
        raise InputError(f"must be yes or no, but got {answer!r}", place=row.place, key="answer")
    return answer


def _count(row: Fields) -> Any:
    count = row.whole("answer")
    if not 0 <= count < 10**9:
        raise InputError(f"must be a count, but got {count}", place=row.place, key="answer")
    return count


def _choice(row: Fields) -> Any:
    options, answer = row.texts("options"), row.plain("answer")
    if isinstance(answer, str) and options.count(answer) == 1:
        return options.index(answer)
    if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(options):
        return answer
    raise InputError("must be the position of one of the options, or its text", place=row.place, key="answer")


def _box(row: Fields) -> Any:
    x0, y0, x1, y1 = row.box("box")
    sides = row.items("size")
    if len(sides) != 2 or not all(isinstance(s, int) and not isinstance(s, bool) and 0 < s < 10**6 for s in sides):
        raise InputError("must be the width and the height of the image, in px", place=row.place, key="size")
    return grounding.reference((x0, y0, x1, y1), Size(*sides))


def _reader(reference: Callable[[Fields], Any]) -> Callable[[ReferenceFiles, str | None], list[Example]]:
    def read(files: ReferenceFiles, split: str | None) -> list[Example]:
        document = files.one("questions", _is_questions)
        return [_example(Fields(row, f"{document.place}[{n}]"), reference) for n, row in enumerate(document.rows)]

    return read


def _is_questions(document: Document) -> bool:
    return bool(document.rows) and isinstance(document.rows[0], dict) and {"id", "question"} <= document.rows[0].keys()


def _example(row: Fields, reference: Callable[[Fields], Any]) -> Example:
    image = row.text("image") if "image" in row else None
    number = row.id("id")
    options = tuple(row.texts("options")) if "options" in row else ()
    if len(options) > 26:
        raise InputError(f"must be at most 26, but there are {len(options)}", place=row.place, key="options")
    fields = row.record("groups") if "groups" in row else None
    groups = {kind: fields.label(kind) for kind in row.mapping("groups")} if fields is not None else {}
    return Example(number, image or number, image, row.text("question"), options, reference(row), groups)


def _short(example: Example) -> str:
    return short_answer(example.question)


def _lettered(example: Example) -> str:
    return multiple_choice(example.question, example.options)


def _exact(parsed: Parsed, example: Example) -> float:
    return float(parsed.value == normalisers.vqa_official(example.reference))


def _yes_no_summary(rows: Sequence[Row]) -> Summary:
    counts = decisions(rows)
    metrics, warnings = accuracy(rows)
    metrics |= {"f1": counts.f1, "precision": counts.precision, "recall": counts.recall, "yes_ratio": counts.yes_ratio}
    return Summary(metrics, (*warnings, *(f"given as 0: {what}" for what in counts.undefined())))


_SHARES = dict.fromkeys(("f1", "precision", "recall", "yes_ratio"), "0 to 1")
_FILE = (WantedFile("questions", ("*.jsonl", "*.json"), "yours"),)


def _family(name: str, title: str, reference: Callable[[Fields], Any], protocols: Mapping[str, Protocol]) -> Benchmark:
    return Benchmark(
        id=name,
        title=title,
        split="all",
        files=_FILE,
        images="yours, under the paths of the field image",
        totals=Totals(()),
        read=_reader(reference),
        protocols=protocols,
    )


FAMILIES: Mapping[str, Benchmark] = {
    family.id: family
    for family in (
        _family(
            "vqa",
            "open answers against several people's",
            _answers,
            {
                "official": soft_protocol(
                    "soft accuracy, both sides normalised as VQA does",
                    normalisers.vqa_official,
                    each(normalisers.vqa_official),
                    _short,
                ),
                "evalai": soft_protocol(
                    "soft accuracy, both sides normalised as EvalAI does",
                    normalisers.evalai,
                    each(normalisers.evalai),
                    _short,
                ),
            },
        ),
        _family(
            "exact",
            "open answers against one",
            _answer,
            {
                "official": Protocol(
                    "the same text after VQA's normaliser",
                    _short,
                    lambda output, example: Parsed(normalisers.vqa_official(output)),
                    _exact,
                    accuracy_by(),
                )
            },
        ),
        _family(
            "yes-no",
            "yes or no",
            _yes_or_no,
            {
                "official": Protocol(
                    "POPE's parser",
                    _short,
                    lambda output, example: first_sentence(output),
                    equals_reference,
                    _yes_no_summary,
                    units=_SHARES,
                ),
                "likelihood": Protocol(
                    "likelihood of Yes against No, Yes where they are equal",
                    _short,
                    either("Yes", "No"),
                    equals_reference,
                    _yes_no_summary,
                    units=_SHARES,
                    options=lambda example: ("Yes", "No"),
                ),
            },
        ),
        _family(
            "multiple-choice",
            "one of lettered options",
            _choice,
            {
                "official": Protocol(
                    "the letter or the text of an option", _lettered, letter_or_text, equals_position, accuracy_by()
                ),
                "likelihood": Protocol(
                    "likelihood of the letters, the first of equals",
                    _lettered,
                    letter,
                    equals_position,
                    accuracy_by(),
                    options=letters,
                ),
            },
        ),
        _family(
            "counting",
            "how many",
            _count,
            {
                "official": Protocol(
                    "digits alone, anything else is 0", _short, digits_else_zero, equals_position, accuracy_by()
                ),
                "words": Protocol(
                    "the first 0 to 20 in digits or words",
                    _short,
                    first_count_to_twenty,
                    equals_position,
                    accuracy_by(),
                ),
            },
        ),
        _family("grounding", "where is what this describes", _box, grounding.protocols(0.5)),
    )
}
