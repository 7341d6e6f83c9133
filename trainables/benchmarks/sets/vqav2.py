"""Define VQAv2 validation: open answers against ten people's, by soft accuracy."""

from __future__ import annotations

import sys
from typing import Any

from search_spaces.errors import InputError
from trainables.benchmarks.contract import Benchmark, Example, Parsed, Protocol, Totals
from trainables.benchmarks.files.record_fields import Fields
from trainables.benchmarks.files.reference_files import Document, ReferenceFiles, WantedFile
from trainables.benchmarks.scorers import normalisers
from trainables.benchmarks.scorers.instructions import short_answer
from trainables.benchmarks.scorers.soft_accuracy import each, exact_mean, soft_accuracy, soft_protocol, unless_unanimous
from trainables.benchmarks.scorers.summaries import accuracy_by

_PUBLISHED = "https://visualqa.org/download.html"


def read(files: ReferenceFiles, split: str | None) -> list[Example]:
    questions = _questions(files.one("questions", lambda d: _holds(d, "questions")))
    document = files.one("annotations", lambda d: _holds(d, "annotations"))
    subtype = str(document.value.get("data_subtype") or "val2014")
    examples, strange = [], []
    for row in _rows(document, "annotations"):
        number = row.id("question_id")
        if number not in questions:
            strange.append(number)
            continue
        image = f"COCO_{subtype}_{row.whole('image_id'):012d}.jpg"
        groups = {kind: row.label(kind) for kind in ("answer_type", "question_type") if kind in row}
        question = questions[number].text("question")
        examples.append(Example(number, image, image, question, reference=answers_of(row), groups=groups))
    if strange:
        raise InputError(
            f"every annotation must have its question, but {len(strange)} have none: {', '.join(strange[:20])}",
            place=document.place,
        )
    files.forget()
    return examples


def _questions(document: Document) -> dict[str, Fields]:
    """Read the questions by id. Raises InputError for an id with two questions."""
    questions, repeated = dict[str, Fields](), dict[str, None]()
    for row in _rows(document, "questions"):
        number = row.id("question_id")
        if questions.setdefault(number, row).plain("question") != row.plain("question"):
            repeated[number] = None
    if repeated:
        law = f"every question must have an id of its own, but {len(repeated)} are those of two"
        raise InputError(f"{law}: {', '.join(list(repeated)[:20])}", place=document.place)
    return questions


def _holds(document: Document, key: str) -> bool:
    """Check whether a document holds records under a key. COCO's instances have `annotations`, too, but no answers."""
    value = document.value
    rows = value.get(key) if isinstance(value, dict) else None
    if not isinstance(rows, list) or not rows or not isinstance(rows[0], dict):
        return False
    return key != "annotations" or "answers" in rows[0]


def _rows(document: Document, key: str) -> list[Fields]:
    return [Fields(row, f"{document.place}: {key}[{number}]") for number, row in enumerate(document.value[key])]


def answers_of(row: Fields) -> list[str]:
    """Read the texts of a list of `{"answer": ...}`, or of plain texts."""
    texts: list[str] = []
    for entry in row.items("answers"):
        text: Any = entry.get("answer") if isinstance(entry, dict) else entry
        if not isinstance(text, str):
            raise InputError("every answer must have a text", place=row.place, key="answers")
        texts.append(sys.intern(text))
    return texts


def _official() -> Protocol:
    """Make the protocol of the authors' code at HEAD.

    It leaves both sides alone where the ten references agree (meant for answers that are read off the image): ten
    times "black" and the prediction "Black." is 0.
    """

    def parse(output: str, example: Example) -> Parsed:
        return Parsed(normalisers.white_space(output) if _unanimous(example) else normalisers.vqa_official(output))

    def score(parsed: Parsed, example: Example) -> float:
        compared = normalisers.white_space if _unanimous(example) else normalisers.vqa_official
        return soft_accuracy(parsed.value, [compared(reference) for reference in example.reference])

    about = "GT-Vision-Lab/VQA at HEAD: both sides normalised, unless all references are the same"
    return Protocol(about, prompt, parse, score, accuracy_by("answer_type"), kind=_unanimous)


def _unanimous(example: Example) -> bool:
    return len({normalisers.white_space(reference) for reference in set(example.reference)}) <= 1


def prompt(example: Example) -> str:
    return short_answer(example.question)


BENCHMARK = Benchmark(
    id="vqav2",
    title="VQAv2",
    split="val",
    files=(
        WantedFile(
            "questions", ("v2_OpenEnded_mscoco_val2014_questions.json", "v2_val2014_questions.json"), _PUBLISHED
        ),
        WantedFile("annotations", ("v2_mscoco_val2014_annotations.json", "v2_val2014_annotations.json"), _PUBLISHED),
    ),
    images="COCO val2014 (cocodataset.org), as COCO_val2014_<12 digits>.jpg",
    totals=Totals((214_354,), images=40_504),
    read=read,
    strata=("answer_type",),
    protocols={
        "official": _official(),
        "official_2016": soft_protocol(
            "GT-Vision-Lab/VQA before 2021: of references only the punctuation, unless all are the same",
            normalisers.vqa_official,
            unless_unanimous(normalisers.punctuation),
            prompt,
            by=("answer_type",),
        ),
        "prismatic": soft_protocol(
            "TRI-ML/vlm-evaluation: of references only the punctuation, always",
            normalisers.vqa_official,
            each(normalisers.punctuation),
            prompt,
            by=("answer_type",),
            max_new_tokens=128,
        ),
        "lmms": soft_protocol(
            "lmms-eval since 2025-08: both sides normalised, always",
            normalisers.vqa_official,
            each(normalisers.vqa_official),
            prompt,
            by=("answer_type",),
            mean=exact_mean,
        ),
        "vlmevalkit": soft_protocol(
            "VLMEvalKit: both sides normalised, always; a period behind a digit stays",
            normalisers.vlmevalkit,
            each(normalisers.vlmevalkit),
            prompt,
            by=("answer_type",),
            max_new_tokens=128,
        ),
    },
)
