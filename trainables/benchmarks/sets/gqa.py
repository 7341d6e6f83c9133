"""Define GQA test-dev, balanced: one word or phrase, right or wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainables.benchmarks.contract import Benchmark, Example, Parsed, Protocol, Row, Summary, Totals, of_one_kind
from trainables.benchmarks.files.record_fields import Fields
from trainables.benchmarks.files.reference_files import Document, ReferenceFiles, WantedFile
from trainables.benchmarks.scorers import normalisers
from trainables.benchmarks.scorers.instructions import short_answer
from trainables.benchmarks.scorers.summaries import accuracy, grouped, points

_PUBLISHED = "https://cs.stanford.edu/people/dorarad/gqa/download.html"
_COMMON = ("color", "material", "shape")
"""Legal and plausible answers of questions about what things have in common."""


def read(files: ReferenceFiles, split: str | None) -> list[Example]:
    questions = files.all(_is_questions)
    if not questions:
        files.one("questions", _is_questions)  # its error names the files that are there
    choices: dict[str, Any] = {}
    for document in files.all(_is_choices):
        choices |= document.value
    examples: dict[str, Example] = {}
    for document in questions:  # large tiers are published in several files
        for number, record in document.value.items():
            examples[number] = _example(number, Fields(record, f"{document.place}: {number}"), choices.get(number))
    files.forget()
    return list(examples.values())


def _is_questions(document: Document) -> bool:
    return _first_record_has(document, "imageId", "answer")


def _is_choices(document: Document) -> bool:
    return _first_record_has(document, "valid", "plausible")


def _first_record_has(document: Document, *keys: str) -> bool:
    value = document.value
    first = next(iter(value.values()), None) if isinstance(value, dict) else None
    return isinstance(first, dict) and all(key in first for key in keys)


def _example(number: str, row: Fields, choices: Any) -> Example:
    types = row.record("types") if "types" in row else None
    groups = {}
    if types is not None:
        groups = {"type": "open" if types.text("structural") == "query" else "binary"}
        groups |= {kind: types.label(kind) for kind in ("structural", "semantic") if kind in types}
    reference: dict[str, Any] = {"answer": row.text("answer")}
    if "entailed" in row:
        reference["entailed"] = [str(key) for key in row.items("entailed") if str(key) != number]
    if "groups" in row and isinstance(row.mapping("groups").get("global"), str):
        reference["group"] = row.mapping("groups")["global"]
    if isinstance(choices, dict):
        common = types is not None and "detailed" in types and "Common" in types.text("detailed")
        fields = Fields(choices, f"choices of {number}")
        reference |= {kind: list(_COMMON) if common else fields.texts(kind) for kind in ("valid", "plausible")}
    image = row.id("imageId")
    return Example(
        number,
        image,
        f"{image}.jpg",
        row.text("question"),
        reference=reference,
        groups=groups,
        counted=row.boolean("isBalanced") if "isBalanced" in row else True,
    )


def _summary(rows: Sequence[Row]) -> Summary:
    """Compute accuracy over the balanced questions, for binary and open ones, and further metrics that the files allow.

    Consistency needs the entailed questions, which the balanced files lack; validity and plausibility need the file of
    choices: they are left out, not given as 0.
    """
    balanced = [row for row in rows if row.example.counted]
    metrics, warnings = accuracy(balanced)
    for kind, members in grouped(balanced, "type").items():
        metrics[f"accuracy/{kind}"] = points([row.score for row in members])
    metrics |= _consistency(rows, balanced) | _among(balanced, "valid", "validity")
    metrics |= _among(balanced, "plausible", "plausibility") | _distribution(balanced)
    return Summary(metrics, warnings)


def _consistency(rows: Sequence[Row], balanced: Sequence[Row]) -> dict[str, float]:
    scores = {row.example.id: row.score for row in rows}
    right = [row for row in balanced if row.score and row.example.reference.get("entailed")]
    if not right or not all(key in scores for row in right for key in row.example.reference["entailed"]):
        return {}
    entailed = [[scores[key] for key in row.example.reference["entailed"]] for row in right]
    return {"consistency": points([float(sum(group)) / len(group) for group in entailed])}


def _among(balanced: Sequence[Row], kind: str, metric: str) -> dict[str, float]:
    if not balanced or not all(kind in row.example.reference for row in balanced):
        return {}
    return {metric: points([float(row.parsed.value in row.example.reference[kind]) for row in balanced])}


def _distribution(balanced: Sequence[Row]) -> dict[str, float]:
    """Compute chi-square of given against right answers in each group, weighted by its size, / 100: 0 is best."""
    gold: dict[str, dict[str, int]] = {}
    given: dict[str, dict[str, int]] = {}
    for row in balanced:
        group = row.example.reference.get("group")
        if group is not None:
            for counts, answer in ((gold, row.example.reference["answer"]), (given, row.parsed.value)):
                of_group = counts.setdefault(group, {})
                of_group[answer] = of_group.get(answer, 0) + 1
    if not gold:
        return {}
    total, weight = 0.0, 0
    for group, expected in gold.items():
        size = sum(expected.values())
        total += sum(_chi_square(e, given[group].get(answer, 0)) for answer, e in expected.items()) * size
        weight += size
    return {"distribution": total / weight / 100}


def _chi_square(expected: int, observed: int) -> float:
    return float(observed - expected) ** 2 / expected


def _exact(
    about: str,
    clean: Callable[[str], str],
    clean_reference: Callable[[str], str] = str,
    max_new_tokens: int = 16,
    version: int = 1,
) -> Protocol:
    def score(parsed: Parsed, example: Example) -> float:
        return float(parsed.value == clean_reference(example.reference["answer"]))

    return Protocol(
        about,
        lambda example: short_answer(example.question),
        lambda output, example: Parsed(clean(output)),
        score,
        _summary,
        units=_UNITS,
        max_new_tokens=max_new_tokens,
        version=version,
        kind=of_one_kind,
    )


_UNITS: Mapping[str, str] = {"distribution": "chi-square, 0 is best"}

BENCHMARK = Benchmark(
    id="gqa",
    title="GQA",
    split="testdev-balanced",
    files=(
        WantedFile("questions", ("testdev_balanced_questions.json",), _PUBLISHED),
        WantedFile("choices", ("testdev_choices.json", "*_choices.json"), f"{_PUBLISHED} (not in version 1.2)", False),
    ),
    images="GQA images (the same page), as <imageId>.jpg",
    totals=Totals((12_578,), images=398),
    read=read,
    strata=("type",),
    protocols={
        "official": _exact("GQA's eval.py: the same text, nothing cleaned", str, version=2),
        "prismatic": _exact(
            "TRI-ML/vlm-evaluation: predictions in lower case without ASCII punctuation, references as they are",
            lambda text: normalisers.without_ascii_punctuation(text).lower(),
            max_new_tokens=128,
            version=2,
        ),
        "lmms": _exact(
            "lmms-eval: both sides in lower case without ASCII punctuation",
            lambda text: normalisers.without_ascii_punctuation(text.strip().lower()),
            lambda text: normalisers.without_ascii_punctuation(text.lower()),
        ),
        "vlmevalkit": _exact(
            "VLMEvalKit: both sides stripped and in lower case",
            lambda text: text.strip().lower(),
            lambda text: text.strip().lower(),
            max_new_tokens=128,
        ),
        "llava": _exact(
            "LLaVA's converter: full stops at the end go, lower case",
            lambda text: text.rstrip(".").lower(),
            max_new_tokens=128,
            version=2,
        ),
    },
)
