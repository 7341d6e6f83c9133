"""Define AI2D: multiple choice about diagrams of a school book. There is a convention, but no official scorer."""

from __future__ import annotations

from search_spaces.errors import InputError
from trainables.benchmarks.contract import Benchmark, Example, Protocol, Totals, by_options
from trainables.benchmarks.files.record_fields import Fields
from trainables.benchmarks.files.reference_files import Document, ReferenceFiles, WantedFile
from trainables.benchmarks.scorers.choices import (
    equals_position,
    letter,
    letter_or_text,
    letters,
    lmms_letter,
    vlmevalkit_letter,
)
from trainables.benchmarks.scorers.instructions import LETTERS, multiple_choice
from trainables.benchmarks.scorers.summaries import accuracy_by

_PUBLISHED = "https://prior.allenai.org/projects/diagram-understanding (ai2d-all.zip)"


def read(files: ReferenceFiles, split: str | None) -> list[Example]:
    """Read the questions of all images, by image and in file order; `val` are those that are not among the test ids."""
    documents = files.all(_is_questions)
    if not documents:
        files.one("questions", _is_questions)  # its error names the files that are there
    test = _test_images(files.one_or_none("test ids", _is_test_ids))
    documents.sort(key=lambda document: (len(document.path.stem), document.path.name))
    examples = [
        _example(question, Fields(entry, f"{document.place}: {question!r}"), _image(document), test)
        for document in documents
        for question, entry in Fields(document.value, document.place).mapping("questions").items()
    ]
    files.forget()
    return [example for example in examples if split is None or example.groups.get("split") == split]


def _is_questions(document: Document) -> bool:
    return isinstance(document.value, dict) and {"imageName", "questions"} <= document.value.keys()


def _is_test_ids(document: Document) -> bool:
    return document.path.suffix.lower() == ".csv"


def _test_images(document: Document | None) -> set[str] | None:
    return None if document is None else {line.split(",")[0].strip() for line in document.value if line.strip()}


def _image(document: Document) -> str:
    return Fields(document.value, document.place).text("imageName")


def _example(question: str, row: Fields, image: str, test: set[str] | None) -> Example:
    options = tuple(row.texts("answerTexts"))
    correct = row.whole("correctAnswer")
    if not 0 <= correct < len(options) <= len(LETTERS):
        raise InputError(
            f"must be the position of one of {len(options)} answers, but got {correct}",
            place=row.place,
            key="correctAnswer",
        )
    groups = {} if test is None else {"split": "test" if image.split(".")[0] in test else "val"}
    return Example(row.id("questionId"), image, image, question, options, correct, groups)


def prompt(example: Example) -> str:
    return multiple_choice(example.question, example.options)


BENCHMARK = Benchmark(
    id="ai2d",
    title="AI2D",
    split="val and test",
    files=(
        WantedFile("questions", ("questions/*.json",), _PUBLISHED),
        WantedFile("test ids", ("ai2d_test_ids.csv",), f"{_PUBLISHED}, or its page on S3", required=False),
    ),
    images="the same archive, images/<imageName>; labels as they are (not masked by letters)",
    totals=Totals((15_501,)),
    read=read,
    splits=("val", "test"),
    strata=("split",),
    protocols={
        "official": Protocol(
            "convention: accuracy of the choice, named by its letter or its text; val and test pooled",
            prompt,
            letter_or_text,
            equals_position,
            accuracy_by("split"),
            kind=by_options,
        ),
        "prismatic": Protocol(
            "TRI-ML/vlm-evaluation: likelihood of the letters, the first of equals; val and test pooled",
            prompt,
            letter,
            equals_position,
            accuracy_by("split"),
            options=letters,
            kind=by_options,
        ),
        "lmms": Protocol(
            "lmms-eval: the letter of `C. ...`, else the complete output, without case and punctuation",
            prompt,
            lmms_letter,
            equals_position,
            accuracy_by("split"),
            kind=by_options,
        ),
        "vlmevalkit": Protocol(
            "VLMEvalKit without a judge: one letter in the last words, `answer is X`, or the text of one option",
            prompt,
            vlmevalkit_letter,
            equals_position,
            accuracy_by("split"),
            max_new_tokens=128,
            version=2,
            kind=by_options,
        ),
    },
)
