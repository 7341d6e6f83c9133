"""VLMEvalKit: its files per question after scoring, `<model>_<dataset>_<judge>_result.xlsx` and their like.

Multiple choice writes `hit` into `..._result`, yes or no writes `score` into `..._auxmatch`, VQA writes `eval_score`
into `..._results`; as xlsx, tsv or json, by `PRED_FORMAT`. `<model>_<dataset>.xlsx` has predictions alone. A folder
around a file is called as its model.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.items.harnesses.contract import (
    Choices,
    Harness,
    Run,
    ScoredQuestion,
    as_score,
    as_text,
    benchmark_of,
    shown,
)
from search_spaces.errors import InputError, nearest
from trainables.benchmarks.answers.fields import name_text
from trainables.benchmarks.answers.problems import KindsOfProblems
from trainables.benchmarks.answers.records import Record, read_records

_METRICS = ("hit", "score", "eval_score")
_KINDS = r"(?:results?|auxmatch|score|scored)"
_FILE = re.compile(rf".+_{_KINDS}\.(?:xlsx|tsv|json)")
_ENDING = re.compile(rf"_{_KINDS}$")
_JUDGE = re.compile(
    r"_(?:exact_matching|extract_matching|openai|gpt4|(?:chat)?gpt-[\w.-]+|qwen[\w.-]*|deepseek[\w.-]*)$"
)
_LONGEST_REFERENCE = 64
"""An image this short is no picture but the index of the question that has it."""


def read(path: Path, choices: Choices) -> list[Run]:
    """Read the scored answers to one dataset.

    Raises:
        InputError: for files without index or score, and lines whose score cannot be read.
    """
    records = [Record(place, {_lower(name): value for name, value in row.items()}) for place, row in read_records(path)]
    columns = list(dict.fromkeys(name for record in records for name in record.fields))
    metric = _metric(columns, choices.metric, str(path))
    if "index" not in columns:
        law = f"a file of VLMEvalKit must have the column index, but has {', '.join(columns[:12])}"
        raise InputError(law, place=str(path))
    cluster = _cluster(records, columns, choices.cluster, str(path))
    pictures = {name_text(record.fields.get("index")): record.fields.get("image") for record in records}
    questions, problems = [], KindsOfProblems()
    for record in records:
        index, score = name_text(record.fields.get("index")), as_score(record.fields.get(metric))
        if index is None:
            problems.add("must be given", record.place, "index")
        if score is None:
            problems.add(f"must be a number, but is {shown(record.fields.get(metric))}", record.place, metric)
        if index is not None and score is not None:
            image = _image(record.fields, cluster, pictures) if cluster else None
            prediction, reference = (as_text(record.fields.get(name)) for name in ("prediction", "answer"))
            questions.append(ScoredQuestion(record.place, index, score, image, prediction, reference))
    problems.raise_all()
    hint = "it does not follow from the file's name, as no folder around it has the name of the model"
    return [Run(benchmark_of(choices, _dataset(path), path, hint), path, metric, cluster, questions)]


HARNESS = Harness("vlmevalkit", lambda path: _FILE.fullmatch(path.name) is not None, read)


def _lower(name: Any) -> str:
    """Write a column's name as the harness does after scoring: in lower case, but for the options A, B, C ..."""
    return name if isinstance(name, str) and len(name) == 1 else str(name).lower()


def _metric(columns: Sequence[str], metric: str | None, place: str) -> str:
    if metric is not None:
        if metric.lower() not in columns:
            law = f"must be one of its columns, {', '.join(columns[:20])}, but got {metric!r}"
            raise InputError(law, place=place, key="--metric", way_out=nearest(metric, columns))
        return metric.lower()
    there = [name for name in _METRICS if name in columns]
    if not there:
        raise InputError(
            f"must have one of the columns {', '.join(_METRICS)}, but has {', '.join(columns[:20])}",
            place=place,
            way_out="Predictions alone have no scores: take the file that scoring writes beside it (..._result,"
            " ..._auxmatch, ..._results), or name the column with --metric.",
        )
    return there[0]


def _cluster(records: Sequence[Record], columns: Sequence[str], cluster: str | None, place: str) -> str | None:
    if cluster is None:
        return next((name for name in ("image_path", "image") if all(_is_there(r.fields, name) for r in records)), None)
    if cluster.lower() not in columns:
        law = f"must be one of its columns, {', '.join(columns[:20])}, but got {cluster!r}"
        raise InputError(law, place=place, key="--cluster", way_out=nearest(cluster, columns))
    return cluster.lower()


def _is_there(fields: Mapping[str, Any], name: str) -> bool:
    return fields.get(name) not in (None, "")


def _image(fields: Mapping[str, Any], cluster: str, pictures: Mapping[str | None, Any]) -> str | None:
    """Name the image of a question: by its path, or by the digest of the picture that the file holds."""
    value = fields.get(cluster)
    if cluster != "image":
        return name_text(value) if isinstance(value, str | int) else as_text(value)
    text = as_text(value) or ""
    if len(text) <= _LONGEST_REFERENCE and text in pictures:
        text = as_text(pictures[text]) or text
    return hashlib.sha256(text.encode()).hexdigest()[:16] if len(text) > _LONGEST_REFERENCE else text or None


def _dataset(path: Path) -> str | None:
    """Read the dataset off a file's name: what follows the model, whose name a folder around it has."""
    stem = _JUDGE.sub("", _ENDING.sub("", path.name.partition(".gz")[0].rpartition(".")[0]))
    for folder in list(path.resolve().parents)[:3]:
        if folder.name and stem.startswith(f"{folder.name}_"):
            return stem.removeprefix(f"{folder.name}_")
    return None
