"""Score predictions under a protocol: make the result that `ablate score` prints, and its rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from search_spaces.errors import InputError, Problems
from trainables.benchmarks.best_reachable import best_row, check_reachable
from trainables.benchmarks.contract import Benchmark, Example, Protocol, Row, without_collection
from trainables.benchmarks.model_text import MODEL_TEXTS
from trainables.benchmarks.predictions import Predictions, check_ids, chosen
from trainables.benchmarks.reading_notes import (
    best_note,
    is_answer_read,
    model_text_changes,
    references_of,
    unparsable_notes,
)
from trainables.benchmarks.scorers.summaries import points
from trainables.benchmarks.unicode_writing import same_in_other_characters

EXAMPLE_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("cluster", pa.string()),
        ("prediction", pa.string()),
        ("parsed", pa.string()),
        ("score", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Scored:
    """Result of a benchmark under one protocol."""

    benchmark: str
    protocol: str
    version: int
    """Of the protocol."""
    split: str
    n: int
    """Examples that count for the headline metric."""
    unparsable: int
    """Of these, outputs that the protocol could not read, or read as something else than they plainly say."""
    excluded: int
    """Examples that do not count (GQA's unbalanced questions, TallyQA's imported ones)."""
    headline: str
    best_reachable: float
    """What a perfect model gets in the headline metric on these references."""
    metrics: dict[str, float]
    units: dict[str, str]
    """Metric -> unit; accuracies are in points, 0 to 100."""
    by: dict[str, dict[str, float]]
    """Kind of group -> group -> mean score in points."""
    warnings: tuple[str, ...] = ()
    rows: Sequence[Row] = field(default=(), repr=False)

    def to_json(self) -> dict[str, Any]:
        shown = {name: value for name, value in vars(self).items() if name != "rows"}
        return {**shown, "warnings": list(self.warnings)}


@without_collection()
def score_predictions(
    benchmark: Benchmark, protocol_name: str, examples: Sequence[Example], predictions: Predictions, split: str | None
) -> Scored:
    """Score predictions made anywhere.

    Args:
        benchmark: what was asked.
        protocol_name: one of the benchmark's protocols.
        examples: all examples of the split, in the order of the reference files.
        predictions: one for each example.
        split: the split that `examples` are of; None for the benchmark's own.

    Raises:
        InputError: ids that are missing, extra or duplicated; references that let no answer be right; scores of other
            options than the protocol's, the first 20 of them together.
    """
    protocol = benchmark.protocol(protocol_name)
    check_ids(examples, predictions)
    check_reachable(protocol, protocol_name, examples)
    rows, problems = [], Problems()
    for example in examples:
        prediction = predictions.by_id[example.id]
        try:
            text, likelihoods = chosen(prediction, example, protocol)
        except InputError as error:
            problems.add(InputError(error.law, place=prediction.place, key=error.key))
            if len(problems) == 20:
                break
            continue
        rows.append(score_example(protocol, example, text, likelihoods))
    problems.raise_all()
    scored = summarise(benchmark, protocol_name, rows, split)
    notes = (*_model_text_note(protocol, rows, scored), *_writing_note(protocol, rows, scored))
    return replace(scored, warnings=(*scored.warnings, *notes))


def _model_text_note(protocol: Protocol, rows: Sequence[Row], scored: Scored) -> tuple[str, ...]:
    """Note a score that would be another one, had the predictions been cut as the harness cuts a model's output."""
    if not model_text_changes(protocol, [row.prediction for row in rows if row.likelihoods is None]):
        return ()
    hand_over = MODEL_TEXTS[protocol.model_text]
    cut = [
        row if row.likelihoods is not None else score_example(protocol, row.example, hand_over(row.prediction))
        for row in rows
    ]
    value = protocol.summarise(cut).metrics[protocol.headline]
    if value == scored.metrics[protocol.headline]:
        return ()
    return (
        f"predictions are scored as they stand; cut at both ends, as {scored.protocol} cuts what a model says, their"
        f" {protocol.headline} is {value:.2f}",
    )


def _writing_note(protocol: Protocol, rows: Sequence[Row], scored: Scored) -> tuple[str, ...]:
    """Note answers that are a right one but for their characters, and the score with the references' characters."""
    rewritten: dict[int, Row] = {}
    for number, row in enumerate(rows):
        if row.likelihoods is None and row.score < 1:
            reference = same_in_other_characters(row.prediction, references_of(row.example))
            if reference is not None:
                rewritten[number] = score_example(protocol, row.example, reference)
    better = [number for number, row in rewritten.items() if row.score > rows[number].score]
    if not better:
        return ()
    all_rows = [rewritten.get(number, row) for number, row in enumerate(rows)]
    value = protocol.summarise(all_rows).metrics[protocol.headline]
    first = rows[better[0]]
    return (
        f"{len(better):,} of {len(rows):,} answers are a right one in other characters (accents, quotes, dashes, unseen"
        f" signs), e.g. {first.prediction[:60]!a} to {first.example.id}: in those of the references"
        f" {scored.headline} is {value:.2f}",
    )


def score_example(
    protocol: Protocol, example: Example, output: str, likelihoods: Mapping[str, float] | None = None
) -> Row:
    """Parse and score one output.

    Args:
        protocol: how to.
        example: the question.
        output: the model's text, or the likeliest option.
        likelihoods: option -> log-likelihood, where options were ranked.
    """
    parsed = protocol.parse(output, example)
    row = Row(example, output, parsed, protocol.score(parsed, example), likelihoods)
    return row if is_answer_read(protocol, row) else row._replace(is_read=False)


def summarise(benchmark: Benchmark, protocol_name: str, rows: Sequence[Row], split: str | None = None) -> Scored:
    """Summarise scored rows as a benchmark's result.

    Args:
        benchmark: what was asked.
        protocol_name: the protocol that scored the rows.
        rows: in the order of the reference files.
        split: the split that they are of; None for the benchmark's own.
    """
    protocol = benchmark.protocol(protocol_name)
    summary = protocol.summarise(rows)
    counted = [row for row in rows if protocol.counts(row.example)]
    best = [best_row(protocol, row.example) for row in rows]
    reachable = protocol.summarise(best).metrics[protocol.headline]
    best_counted = [row for row in best if protocol.counts(row.example)]
    return Scored(
        benchmark=benchmark.id,
        protocol=protocol_name,
        version=protocol.version,
        split=split or benchmark.split,
        n=len(counted),
        unparsable=sum(not row.is_read for row in counted),
        excluded=len(rows) - len(counted),
        headline=protocol.headline,
        best_reachable=reachable,
        metrics=summary.metrics,
        units={name: protocol.unit(name) for name in summary.metrics},
        by=_by_groups(counted),
        warnings=(
            *unparsable_notes(counted),
            *summary.warnings,
            *best_note(best_counted, protocol.headline, reachable),
        ),
        rows=counted,
    )


def _by_groups(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    scores: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        for kind, group in row.example.groups.items():
            scores.setdefault(kind, {}).setdefault(group, []).append(row.score)
    return {
        kind: {group: points(members) for group, members in sorted(groups.items())} for kind, groups in scores.items()
    }


def asked_table(rows: Sequence[Row], protocol: Protocol, metadata: Mapping[str, str]) -> pa.Table:
    """Make a table of per-example results with a column `prompt`, the question as the protocol puts it.

    Args:
        rows: examples that a protocol has asked.
        protocol: the protocol.
        metadata: of the file.
    """
    prompts = [_storable(protocol.prompt(row.example)) for row in rows]
    return example_table(rows, metadata).append_column("prompt", pa.array(prompts, pa.string()))


def example_table(rows: Iterable[Row], metadata: Mapping[str, str]) -> pa.Table:
    """Make a table of per-example results; outputs that could not be read have no `parsed`."""
    rows = list(rows)
    table = pa.table(
        [
            [row.example.id for row in rows],
            [row.example.cluster for row in rows],
            [_storable(row.prediction) for row in rows],
            [_parsed_text(row.parsed.value) for row in rows],
            [row.score for row in rows],
        ],
        schema=EXAMPLE_SCHEMA,
    )
    return table.replace_schema_metadata(dict(metadata))


def write_examples(scored: Scored, path: Path, model_digest: str = "", seed: str = "") -> None:
    """Write the rows of a result as a Parquet file.

    Args:
        scored: the result.
        path: the file.
        model_digest: identifies the model, in the file's metadata.
        seed: of the model's training, in the file's metadata.
    """
    metadata = {
        "benchmark": scored.benchmark,
        "protocol": scored.protocol,
        "model digest": model_digest,
        "seed": seed,
    }
    aside = path.with_name(f".{path.name}.part")
    with aside.open("wb") as file:  # an error of Python names the file
        pq.write_table(example_table(scored.rows, metadata), file)
    aside.replace(path)


def _parsed_text(value: Any) -> str | None:
    if value is None:
        return None
    return _storable(value if isinstance(value, str) else json.dumps(value))


def _storable(text: str) -> str:
    """Replace lone surrogates, which JSON may hold and UTF-8 may not."""
    return text.encode("utf-8", "replace").decode("utf-8")
