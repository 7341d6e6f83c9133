"""Define TallyQA test: counting. Simple questions (detection would do), complex ones (relations, attributes)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from search_spaces.errors import InputError
from trainables.benchmarks.contract import Benchmark, Example, Parsed, Protocol, Row, Summary, Totals, of_one_kind
from trainables.benchmarks.files.record_fields import Fields
from trainables.benchmarks.files.reference_files import Document, ReferenceFiles, WantedFile
from trainables.benchmarks.scorers.choices import equals_position, letter
from trainables.benchmarks.scorers.counting import digits_else_zero, first_count_to_twenty
from trainables.benchmarks.scorers.instructions import LETTERS, multiple_choice, short_answer
from trainables.benchmarks.scorers.summaries import accuracy, accuracy_by, grouped, points

_LARGEST = 15
_COUNTS = tuple(str(count) for count in range(_LARGEST + 1))


def read(files: ReferenceFiles, split: str | None) -> list[Example]:
    document = files.one("questions", _is_questions)
    examples = [_example(Fields(row, f"{document.place}[{n}]")) for n, row in enumerate(document.rows)]
    files.forget()
    return examples


def _is_questions(document: Document) -> bool:
    first = document.rows[0] if document.rows else None
    return isinstance(first, dict) and {"question_id", "issimple", "answer"} <= first.keys()


def _example(row: Fields) -> Example:
    simple, source = row.boolean("issimple"), row.label("data_source")
    official = "complex" if source == "amt" else ("simple" if simple else "dropped")
    count = row.whole("answer")
    if not 0 <= count < 10**9:
        raise InputError(f"must be a count, but got {count}", place=row.place, key="answer")
    image = row.text("image")
    groups = {"split": "simple" if simple else "complex", "official_split": official}
    return Example(row.id("question_id"), image, image, row.text("question"), reference=count, groups=groups)


def _official(rows: Sequence[Row]) -> Summary:
    """Compute accuracy and RMSE of simple and complex questions; imported ones that are not simple are dropped.

    The authors give no number for both together: here it is that of the questions that count, pooled.
    """
    kept = [row for row in rows if row.example.groups["official_split"] != "dropped"]
    metrics, warnings = accuracy(kept)
    metrics["rmse"] = _rmse(kept)
    for name, members in grouped(kept, "official_split").items():
        metrics[f"accuracy/{name}"] = points([row.score for row in members])
        metrics[f"rmse/{name}"] = _rmse(members)
    if len(kept) < len(rows):
        warnings = (*warnings, f"{len(rows) - len(kept)} imported questions that are not simple count for nothing")
    return Summary(metrics, warnings)


def _rmse(rows: Sequence[Row]) -> float:
    squares = sum((row.parsed.value - row.example.reference) ** 2 for row in rows)
    return math.sqrt(squares / len(rows)) if rows else 0.0


BENCHMARK = Benchmark(
    id="tallyqa",
    title="TallyQA",
    split="test",
    files=(WantedFile("questions", ("test.json",), "https://github.com/manoja328/tallyqa, tallyqa.zip"),),
    images="Visual Genome (VG_100K, VG_100K_2) and COCO (train2014, val2014), under the names of the field image",
    totals=Totals((38_589,)),
    read=read,
    strata=("split",),
    protocols={
        "official": Protocol(
            "manoja328/tallyqacode: whole numbers; complex = written for it; imported ones must be simple",
            lambda example: short_answer(example.question),
            digits_else_zero,
            equals_position,
            _official,
            units={"rmse": "objects"},
            version=2,
            counts=lambda example: example.groups["official_split"] != "dropped",
            kind=of_one_kind,
        ),
        "prismatic": Protocol(
            "TRI-ML/vlm-evaluation: likelihood of the letters A to P for 0 to 15; simple and complex by issimple",
            lambda example: multiple_choice(example.question, _COUNTS),
            lambda output, example: _letter_or_count(output, example),
            equals_position,
            accuracy_by("split"),
            options=lambda example: tuple(LETTERS[: _LARGEST + 1]),
            kind=of_one_kind,
        ),
        "vlmevalkit": Protocol(
            "VLMEvalKit: the first 0 to 20 in digits or words; one accuracy",
            lambda example: f"{example.question}\nAnswer the question using a single number.",
            first_count_to_twenty,
            equals_position,
            accuracy_by(),
            max_new_tokens=128,
            kind=of_one_kind,
        ),
    },
)


def _letter_or_count(output: str, example: Example) -> Parsed:
    """Read the letter that was ranked first, or the count that it stands for."""
    text = output.strip()
    if text in _COUNTS:
        return Parsed(int(text))
    return letter(output, Example(example.id, example.cluster, None, "", _COUNTS))
