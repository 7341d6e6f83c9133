"""Define VizWiz-VQA validation: questions of blind people about their own photographs, some unanswerable."""

from __future__ import annotations

from collections.abc import Sequence

from trainables.benchmarks.contract import Benchmark, Example, Row, Summary, Totals
from trainables.benchmarks.files.record_fields import Fields
from trainables.benchmarks.files.reference_files import Document, ReferenceFiles, WantedFile
from trainables.benchmarks.scorers import normalisers
from trainables.benchmarks.scorers.instructions import SHORT, UNANSWERABLE
from trainables.benchmarks.scorers.soft_accuracy import each, exact_mean, raw, soft_protocol
from trainables.benchmarks.scorers.summaries import Decisions, accuracy, accuracy_by, average_precision, grouped, points
from trainables.benchmarks.sets.vqav2 import answers_of


def read(files: ReferenceFiles, split: str | None) -> list[Example]:
    document = files.one("annotations", _is_annotations)
    examples = [_example(Fields(row, f"{document.place}[{n}]")) for n, row in enumerate(document.rows)]
    files.forget()
    return examples


def _is_annotations(document: Document) -> bool:
    first = document.value[0] if isinstance(document.value, list) and document.value else None
    return isinstance(first, dict) and {"image", "question", "answers"} <= first.keys()


def _example(row: Fields) -> Example:
    image = row.text("image")
    groups = {"answer_type": row.label("answer_type")} if "answer_type" in row else {}
    if "answerable" in row:
        groups["answerable"] = "answerable" if row.boolean("answerable") else "unanswerable"
    return Example(image, image, image, row.text("question"), reference=answers_of(row), groups=groups)


def prompt(example: Example) -> str:
    return example.question + UNANSWERABLE + SHORT


def _prismatic(rows: Sequence[Row]) -> Summary:
    """Compute accuracy over all, answerable and unanswerable; average precision and F1 of "unanswerable"."""
    metrics, warnings = accuracy(rows)
    for group, members in grouped(rows, "answerable").items():
        metrics[f"accuracy/{group}"] = points([row.score for row in members])
    predicted = [row.parsed.value == "unanswerable" for row in rows]
    truth = [row.example.groups.get("answerable") == "unanswerable" for row in rows]
    precision = average_precision(truth, [float(is_predicted) for is_predicted in predicted])
    if precision is None:
        warnings = (*warnings, "given as 0: average precision and F1 (no question is unanswerable)")
    metrics["unanswerable_average_precision"] = 100 * (precision or 0.0)
    metrics["unanswerable_f1"] = 100 * Decisions.count(predicted, truth).f1
    return Summary(metrics, warnings)


BENCHMARK = Benchmark(
    id="vizwiz",
    title="VizWiz-VQA",
    split="val",
    files=(WantedFile("annotations", ("val.json",), "https://vizwiz.org/tasks-and-datasets/vqa/, Annotations.zip"),),
    images="https://vizwiz.org/tasks-and-datasets/vqa/, val.zip, under the names of the field image",
    totals=Totals((4_319,), images=4_319),
    read=read,
    strata=("answer_type",),
    protocols={
        "official": soft_protocol(
            "VizWiz API: predictions normalised with curly apostrophes, references as they are",
            normalisers.vizwiz,
            raw,
            prompt,
            summarise=accuracy_by("answer_type"),
        ),
        "prismatic": soft_protocol(
            "TRI-ML/vlm-evaluation: predictions normalised with backticks for apostrophes, references as they are",
            normalisers.vizwiz_prismatic,
            raw,
            prompt,
            summarise=_prismatic,
            max_new_tokens=128,
        ),
        "lmms": soft_protocol(
            "lmms-eval: EvalAI's normaliser on both sides",
            normalisers.evalai,
            each(normalisers.evalai),
            lambda example: example.question.capitalize() + UNANSWERABLE + SHORT,
            summarise=accuracy_by("answer_type"),
            mean=exact_mean,
        ),
        "vlmevalkit": soft_protocol(
            "VLMEvalKit: its normaliser on both sides; asks the bare question",
            normalisers.vlmevalkit,
            each(normalisers.vlmevalkit),
            lambda example: example.question,
            summarise=accuracy_by("answer_type"),
            max_new_tokens=128,
        ),
    },
)
