"""Define POPE on COCO: yes or no to the presence of an object. Three splits by how absent objects were chosen."""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces.errors import InputError
from trainables.benchmarks.contract import Benchmark, Example, Protocol, Row, Summary, Totals, of_one_kind
from trainables.benchmarks.files.record_fields import Fields
from trainables.benchmarks.files.reference_files import Document, ReferenceFiles, WantedFile
from trainables.benchmarks.scorers.instructions import short_answer
from trainables.benchmarks.scorers.summaries import Decisions, grouped, points
from trainables.benchmarks.scorers.yes_no import (
    curves,
    decisions,
    either,
    equals_reference,
    first_sentence,
    one_of_two_words,
    only_word,
    split_means,
)

SPLITS = ("random", "popular", "adversarial")


def read(files: ReferenceFiles, split: str | None) -> list[Example]:
    documents = files.all(_is_split)
    if not documents:
        files.one("a split", _is_split)  # its error names the files that are there
    documents.sort(key=lambda document: [name in document.path.name for name in SPLITS], reverse=True)
    return [
        _example(Fields(row, f"{document.place}[{number}]"), document)
        for document in documents
        for number, row in enumerate(document.rows)
    ]


def _is_split(document: Document) -> bool:
    rows = document.rows
    return bool(rows) and isinstance(rows[0], dict) and {"label", "text", "image"} <= rows[0].keys()


def _example(row: Fields, document: Document) -> Example:
    split = row.text("category") if "category" in row else _split_of(document)
    label = row.text("label")
    if label not in ("yes", "no"):
        raise InputError(f"must be yes or no, but got {label!r}", place=row.place, key="label")
    image = row.text("image")
    groups = {"split": split}
    return Example(f"{split}/{row.id('question_id')}", image, image, row.text("text"), reference=label, groups=groups)


def _split_of(document: Document) -> str:
    named = [name for name in SPLITS if name in document.path.name.lower()]
    if len(named) != 1:
        raise InputError(
            f"the name of a POPE file must name its split ({', '.join(SPLITS)}), as nothing in it does",
            place=document.place,
            way_out="It is published as coco_pope_random.json, coco_pope_popular.json, coco_pope_adversarial.json.",
        )
    return named[0]


def _prompt(example: Example) -> str:
    return short_answer(example.question)


def _measures(counts: Decisions) -> dict[str, float]:
    return {
        "f1": counts.f1,
        "accuracy": 100 * counts.accuracy,
        "precision": counts.precision,
        "recall": counts.recall,
        "yes_ratio": counts.yes_ratio,
    }


def _official(rows: Sequence[Row]) -> Summary:
    """Compute F1 and the other measures by split; the headline is the mean of the splits, as in LLaVA's papers."""
    return split_means(rows, _measures)


def _prismatic(rows: Sequence[Row]) -> Summary:
    """Average the splits' accuracies unweighted; compute areas over all examples, and by split."""
    by_split = grouped(rows, "split")
    each = {split: points([row.score for row in members]) for split, members in by_split.items()}
    metrics = {"accuracy": sum(each.values()) / max(1, len(each))}
    metrics.update({f"accuracy/{split}": value for split, value in each.items()})
    whole = curves(rows, "Yes", "No")
    parts = [curves(members, "Yes", "No", f"/{split}") for split, members in by_split.items()]
    for part in (whole, *parts):
        metrics.update(part.metrics)
    return Summary(metrics, tuple(warning for part in (whole, *parts) for warning in part.warnings))


def _lmms(rows: Sequence[Row]) -> Summary:
    """Pool the splits. Outputs that are neither yes nor no are missing from recall; yes_ratio counts references."""
    metrics: dict[str, float] = {"accuracy": points([row.score for row in rows])}
    metrics |= _lmms_measures(rows)
    for split, members in grouped(rows, "split").items():
        metrics[f"accuracy/{split}"] = points([row.score for row in members])
        metrics |= {f"{name}/{split}": value for name, value in _lmms_measures(members).items()}
    return Summary(metrics, tuple(f"given as 0: {what}" for what in decisions(rows).undefined()))


def _lmms_measures(rows: Sequence[Row]) -> dict[str, float]:
    answered = decisions([row for row in rows if row.parsed.ok])
    truth = [row.example.reference == "yes" for row in rows]
    measures = {name: value for name, value in _measures(answered).items() if name in ("f1", "precision", "recall")}
    return {**measures, "yes_ratio": sum(truth) / len(truth) if truth else 0.0}


def _vlmevalkit(rows: Sequence[Row]) -> Summary:
    """Pool the splits, in percent. An unknown answer is a no for F1, precision and recall, and wrong for accuracy."""
    metrics: dict[str, float] = {}
    for suffix, members in (("", rows), *((f"/{s}", m) for s, m in grouped(rows, "split").items())):
        counts = decisions(members)
        metrics[f"f1{suffix}"] = 100 * counts.f1
        metrics[f"accuracy{suffix}"] = points([row.score for row in members])
        metrics[f"precision{suffix}"] = 100 * counts.precision
        metrics[f"recall{suffix}"] = 100 * counts.recall
    return Summary(metrics, tuple(f"given as 0: {what}" for what in decisions(rows).undefined()))


_SHARES = dict.fromkeys(("f1", "precision", "recall", "yes_ratio", "roc_auc", "pr_auc"), "0 to 1")


BENCHMARK = Benchmark(
    id="pope",
    title="POPE",
    split="random, popular, adversarial",
    files=tuple(
        WantedFile(
            f"split {name}",
            (f"coco_pope_{name}.json",),
            f"https://github.com/AoiDragon/POPE, output/coco/coco_pope_{name}.json",
        )
        for name in SPLITS
    ),
    images="COCO val2014 (cocodataset.org), as COCO_val2014_<12 digits>.jpg",
    totals=Totals((9_000, 8_910), images=500),
    read=read,
    strata=("split",),
    protocols={
        "official": Protocol(
            "AoiDragon/POPE: no if the first sentence has the word No, no or not, else yes; mean of the splits",
            _prompt,
            lambda output, example: first_sentence(output),
            equals_reference,
            _official,
            headline="f1",
            units=_SHARES,
            version=2,
            kind=of_one_kind,
        ),
        "prismatic": Protocol(
            "TRI-ML/vlm-evaluation: likelihood of Yes against No, Yes of equals; mean of the splits' accuracies",
            _prompt,
            either("Yes", "No"),
            equals_reference,
            _prismatic,
            options=lambda example: ("Yes", "No"),
            units=_SHARES,
            kind=of_one_kind,
        ),
        "lmms": Protocol(
            "lmms-eval: the complete output must be yes or no; pooled over the splits",
            _prompt,
            lambda output, example: only_word(output),
            equals_reference,
            _lmms,
            units=_SHARES,
            kind=of_one_kind,
        ),
        "vlmevalkit": Protocol(
            "VLMEvalKit: exactly one of the words yes and no, else unknown; pooled over the splits; headline F1",
            _prompt,
            lambda output, example: one_of_two_words(output),
            equals_reference,
            _vlmevalkit,
            headline="f1",
            units=dict.fromkeys(("f1", "precision", "recall"), "percent"),
            version=2,
            kind=of_one_kind,
        ),
        "llava": Protocol(
            "LLaVA: POPE's own parser; its papers give the mean of the three splits' F1",
            _prompt,
            lambda output, example: first_sentence(output),
            equals_reference,
            _official,
            headline="f1",
            units=_SHARES,
            version=2,
            max_new_tokens=128,
            kind=of_one_kind,
        ),
    },
)
