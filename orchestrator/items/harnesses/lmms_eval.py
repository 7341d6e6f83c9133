"""lmms-eval: the files of `--log_samples`, `<date>_samples_<task>.jsonl`, one line for each document.

Older versions wrote `<task>.json`, with such records under `logs`.

A line has `doc_id`, `doc_hash`, `target`, `input`, `filtered_resps` and one key for each metric of the task; older
versions keep `doc`. A metric is a number, or a mapping that holds it as `score` among what the task needs to aggregate
it. Tasks log several metrics with the same score (POPE's accuracy, precision, recall), or another one for another kind
of question (MME): what is unambiguous question by question needs no choice. `doc_hash` is not compared between runs: it
may hold the address of an image in memory. The references, `target`, are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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
    field_at,
    image_field,
    is_share,
)
from search_spaces.errors import InputError, nearest
from trainables.benchmarks.answers.fields import name_text
from trainables.benchmarks.answers.problems import KindsOfProblems
from trainables.benchmarks.answers.records import Record, read_records

_FILE = re.compile(r"(?:.*_)?samples_(?P<task>.+?)(?:_\d{4}-\d\d-\d\dT[\d.:-]+)?\.jsonl(?:\.gz)?", re.S)
_NO_METRICS = frozenset(
    (
        *("doc_id", "doc", "doc_hash", "target", "target_hash", "prompt_hash", "arguments", "input", "resps"),
        *("filtered_resps", "filter", "metrics", "submission", "token_counts", "usage"),
    )
)
"""Fields of a line that are no metrics."""
_SHOWN = 12


def read(path: Path, choices: Choices) -> list[Run]:
    """Read the samples of one task.

    Raises:
        InputError: for lines that are no samples, and where it is open which metric is the score.
    """
    records = read_records(path)
    _check_records(records)
    named = _FILE.fullmatch(path.name)
    hint = "the file is not called <date>_samples_<task>.jsonl"
    task = named["task"] if named else path.stem if path.suffix == ".json" else None
    benchmark = benchmark_of(choices, task, path, hint)
    metric, scores = _scores(records, choices.metric, str(path))
    cluster, images = _images(records, choices.cluster)
    questions = [
        ScoredQuestion(
            record.place,
            name_text(record.fields["doc_id"]) or "",
            score,
            image,
            as_text(record.fields.get("filtered_resps", record.fields.get("resps"))),
            as_text(record.fields.get("target")),
        )
        for record, score, image in zip(records, scores, images, strict=True)
    ]
    return [Run(benchmark, path, metric, cluster, questions)]


HARNESS = Harness("lmms-eval", lambda path: _FILE.fullmatch(path.name) is not None, read)


def _check_records(records: Sequence[Record]) -> None:
    """Refuse what is no sample, and samples of several filters, of which each would score every question."""
    problems = KindsOfProblems()
    for record in records:
        if name_text(record.fields.get("doc_id")) is None:
            law = "a line of lmms-eval's samples must have doc_id"
            problems.add(law, record.place, way_out="These are the files that `--log_samples` writes.")
    problems.raise_all()
    filters = list(dict.fromkeys(str(record.fields["filter"]) for record in records if "filter" in record.fields))
    if len(filters) > 1:
        law = f"must hold the scores of one filter, but has {', '.join(filters)}"
        raise InputError(law, place=records[0].place, key="filter", way_out="Keep the lines of one of them.")


def _scores(records: Sequence[Record], metric: str | None, place: str) -> tuple[str, list[float]]:
    """Find the score of every record, and name the metrics that it was read from."""
    values = [_metric_values(record.fields) for record in records]
    known = list(dict.fromkeys(name for row in values for name in row))
    if metric is not None:
        return metric, _of_metric(records, metric, known)
    usable = [name for name in known if all(is_share(row[name]) for row in values if name in row)]
    scores, problems, differing = [], KindsOfProblems(), False
    for record, row in zip(records, values, strict=True):
        different = {row[name] for name in usable if name in row}
        differing = differing or len(different) > 1
        if different:
            scores.append(different.pop())
        else:
            problems.add("must have a metric from 0 to 1", record.place)
    if differing:
        law = f"must be one of {', '.join(usable)}: they do not say the same of every question"
        raise InputError(law, place=place, key="--metric")
    if not usable:
        raise _no_metric(records, known, values, place)
    problems.raise_all()
    return ", ".join(usable), scores


def _metric_values(fields: Mapping[str, Any]) -> dict[str, float]:
    """Map the metrics of a line to their numbers; those without one are left out."""
    values = {}
    for name, value in fields.items():
        if name in _NO_METRICS or isinstance(value, str):
            continue
        number = as_score(field_at(value, "score") if isinstance(value, Mapping) else value)
        if number is not None:
            values[name] = number
    return values


def _of_metric(records: Sequence[Record], metric: str, known: Sequence[str]) -> list[float]:
    scores, problems = [], KindsOfProblems()
    for record in records:
        value = field_at(record.fields, metric)
        number = as_score(field_at(value, "score") if isinstance(value, Mapping) else value)
        if number is None:
            law = f"must have the metric {metric} as a number, but has {', '.join(known[:_SHOWN]) or 'none'}"
            problems.add(law, record.place, "--metric", nearest(metric, known))
        else:
            scores.append(number)
    problems.raise_all()
    return scores


def _no_metric(
    records: Sequence[Record], known: Sequence[str], values: Sequence[Mapping[str, float]], place: str
) -> InputError:
    """Say what stands in the place of a score from 0 to 1."""
    ranges = [
        f"{name} (from {min(numbers):g} to {max(numbers):g})"
        for name in known
        if (numbers := [row[name] for row in values if name in row])
    ]
    mappings = {
        name: value
        for record in records
        for name, value in record.fields.items()
        if name not in _NO_METRICS and isinstance(value, Mapping) and name not in known
    }
    ranges += [f"{name} (a mapping of {', '.join(map(str, value))})" for name, value in mappings.items()]
    has = f"has {', '.join(ranges[:_SHOWN])}" if ranges else "has no metric at all"
    return InputError(
        f"must have a metric from 0 to 1 for every question, but {has}",
        place=place,
        way_out="`--metric NAME` or `--metric NAME.FIELD` names one. A task that only scores all questions together"
        " cannot be compared question by question.",
    )


def _images(records: Sequence[Record], cluster: str | None) -> tuple[str | None, list[str | None]]:
    """Find the name of every question's image: in the field that was named, else where `doc` has one."""
    documents = [record.fields["doc"] for record in records if isinstance(record.fields.get("doc"), Mapping)]
    if cluster is None:
        field = image_field(documents) if len(documents) == len(records) else None
        return field, [name_text(document[field]) for document in documents] if field else [None] * len(records)
    images, problems = [], KindsOfProblems()
    for record in records:
        name = next(filter(None, map(name_text, _values_called(cluster, record.fields))), None)
        if name is None:
            problems.add(f"must have the field {cluster}, which names the image", record.place, "--cluster")
        images.append(name)
    problems.raise_all()
    return cluster, images


def _values_called(name: str, fields: Mapping[str, Any]) -> Iterator[Any]:
    """List what a field may be: of the line, of its document, of a metric's mapping."""
    yield field_at(fields, name)
    for value in fields.values():
        if isinstance(value, Mapping):
            yield field_at(value, name)
