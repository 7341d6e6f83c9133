"""Plain files: a record with `id` and `score` for each question, as JSON Lines, or in any form that answers come in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.items.harnesses.contract import Choices, Harness, Run, ScoredQuestion, as_score, as_text, shown
from search_spaces.errors import InputError, nearest
from trainables.benchmarks.answers.fields import name_text
from trainables.benchmarks.answers.problems import KindsOfProblems
from trainables.benchmarks.answers.records import Record, read_records

_ENDINGS = (".jsonl", ".jsonl.gz", ".json", ".csv", ".tsv", ".xlsx", ".parquet")


def read(path: Path, choices: Choices) -> list[Run]:
    """Read records with `id`, `score` and optionally `cluster`, `prediction`, `reference`, `benchmark`.

    Raises:
        InputError: for records without id or score, and scores that cannot be read.
    """
    records = read_records(path)
    columns = list(dict.fromkeys(str(name) for record in records for name in record.fields))
    if {"arm", "seed"} <= set(columns):
        way_out = "`ablate verdicts --items` reads it as it is."
        raise InputError("has arm and seed: it is a table of items already", place=str(path), way_out=way_out)
    metric, cluster = choices.metric or "score", choices.cluster or ("cluster" if "cluster" in columns else None)
    for key, name in (("id", "id"), ("--metric", metric), ("--cluster", cluster)):
        if name is not None and name not in columns:
            law = f"records must have {name}, but have {', '.join(columns[:12])}"
            raise InputError(law, place=str(path), key=key, way_out=nearest(name, columns))
    problems = KindsOfProblems()
    by_benchmark: dict[str, list[ScoredQuestion]] = {}
    for record in records:
        name, score = name_text(record.fields.get("id")), as_score(record.fields.get(metric))
        if name is None:
            problems.add("must be text or a whole number", record.place, "id")
        if score is None:
            problems.add(f"must be a number, but is {shown(record.fields.get(metric))}", record.place, metric)
        if name is None or score is None:
            continue
        image = name_text(record.fields.get(cluster)) if cluster else None
        prediction, reference = (as_text(record.fields.get(key)) for key in ("prediction", "reference"))
        question = ScoredQuestion(record.place, name, score, image, prediction, reference)
        by_benchmark.setdefault(_benchmark(record, choices, path), []).append(question)
    problems.raise_all()
    return [Run(benchmark, path, metric, cluster, questions) for benchmark, questions in by_benchmark.items()]


HARNESS = Harness("jsonl", lambda path: path.name.lower().endswith(_ENDINGS), read)


def _benchmark(record: Record, choices: Choices, path: Path) -> str:
    """Name the benchmark of a record: as its field has it, as a person says, or as the file is called."""
    own = name_text(record.fields.get("benchmark"))
    if own is not None and choices.benchmark not in (None, own):
        law = f"must be {choices.benchmark}, as --benchmark says, but is {own}"
        raise InputError(law, place=record.place, key="benchmark")
    return choices.benchmark or own or _stem(path)


def _stem(path: Path) -> str:
    endings: Sequence[str] = sorted(_ENDINGS, key=len, reverse=True)
    return next((path.name[: -len(end)] for end in endings if path.name.lower().endswith(end)), path.stem)
