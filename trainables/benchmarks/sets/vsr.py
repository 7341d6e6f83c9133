"""Define Visual Spatial Reasoning, zero-shot test: is a caption true of its image?"""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces.errors import InputError
from trainables.benchmarks.contract import (
    UNPARSABLE,
    Benchmark,
    Example,
    Parsed,
    Protocol,
    Row,
    Summary,
    Totals,
    of_one_kind,
)
from trainables.benchmarks.files.record_fields import Fields
from trainables.benchmarks.files.reference_files import Document, ReferenceFiles, WantedFile
from trainables.benchmarks.scorers.instructions import SHORT
from trainables.benchmarks.scorers.summaries import accuracy_by, points
from trainables.benchmarks.scorers.yes_no import (
    decisions,
    either,
    equals_reference,
    one_of_two_words,
    option,
    ranked_accuracy,
)


def read(files: ReferenceFiles, split: str | None) -> list[Example]:
    document = files.one("captions", _is_captions)
    return [_example(Fields(row, f"{document.place}[{n}]"), n) for n, row in enumerate(document.rows)]


def _is_captions(document: Document) -> bool:
    return bool(document.rows) and isinstance(document.rows[0], dict) and "caption" in document.rows[0]


def _example(row: Fields, number: int) -> Example:
    label = row.whole("label")
    if label not in (0, 1):
        raise InputError(f"must be 0 or 1, but got {label}", place=row.place, key="label")
    groups = {"relation": row.label("relation")} if "relation" in row else {}
    image = row.text("image")
    return Example(str(number), image, image, row.text("caption"), reference=bool(label), groups=groups)


def prompt(example: Example) -> str:
    return (
        f'Based on the image, is this statement "True" or "False"? {example.question}'
        '\nRespond with "True" or "False" directly.'
    )


def _label(output: str, example: Example) -> Parsed:
    """Read the label that a classifier chose, as its word or its number."""
    answer = option(output, ("False", "True", "0", "1"))
    return UNPARSABLE if answer is None else Parsed(answer in ("True", "1"))


def _true_or_false(output: str, example: Example) -> Parsed:
    answer = either("True", "False")(output, example)
    return Parsed(answer.value == "True") if answer.ok else answer


def _yes_or_no(output: str, example: Example) -> Parsed:
    answer = one_of_two_words(output)
    return Parsed(answer.value == "yes") if answer.ok else answer


def _yes_no_measures(rows: Sequence[Row]) -> Summary:
    """Compute VLMEvalKit's metrics: F1 is a share, the other three are percentages."""
    counts = decisions(rows, positive="true")
    metrics = {"accuracy": points([row.score for row in rows])}
    metrics |= {"precision": 100 * counts.precision, "recall": 100 * counts.recall, "f1": counts.f1}
    return Summary(metrics, tuple(f"given as 0: {what}" for what in counts.undefined()))


BENCHMARK = Benchmark(
    id="vsr",
    title="VSR",
    split="zeroshot-test",
    files=(
        WantedFile(
            "captions",
            ("test.jsonl",),
            "https://github.com/cambridgeltl/visual-spatial-reasoning, data/splits/zeroshot/test.jsonl",
        ),
    ),
    images="COCO train2017 and val2017 (cocodataset.org): the field image_link of each caption names its file",
    totals=Totals((1_222,), images=715),
    read=read,
    strata=(),
    protocols={
        "official": Protocol(
            "cambridgeltl/visual-spatial-reasoning: accuracy of the label, 0 before 1 where they are equal",
            prompt,
            _label,
            equals_reference,
            accuracy_by(),
            options=lambda example: ("False", "True"),
            kind=of_one_kind,
        ),
        "prismatic": Protocol(
            "TRI-ML/vlm-evaluation: likelihood of True against False, True where they are equal",
            prompt,
            _true_or_false,
            equals_reference,
            ranked_accuracy("True", "False"),
            options=lambda example: ("True", "False"),
            units={"roc_auc": "0 to 1", "pr_auc": "0 to 1"},
            kind=of_one_kind,
        ),
        "vlmevalkit": Protocol(
            "VLMEvalKit: yes and no for true and false, both or neither is wrong (the question's wording is ours)",
            lambda example: f"Is the statement true of the image? {example.question}{SHORT}",
            _yes_or_no,
            equals_reference,
            _yes_no_measures,
            units={"f1": "0 to 1"},
            version=2,
            kind=of_one_kind,
        ),
    },
)
