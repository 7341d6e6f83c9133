"""Judge hypotheses by scores per question that a Python program holds in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from orchestrator.analysis.verdict_model import verdicts_json
from orchestrator.items.check import checked_items
from orchestrator.items.judge import judge_items
from orchestrator.items.table import (
    REQUIRED,
    SCHEMA,
    ItemTable,
    RowSource,
    absent_columns,
    kind_of,
    problem_of_rows,
    typed_table,
)
from search_spaces.claims import typed_claims
from search_spaces.errors import InputError, Problems
from search_spaces.yaml_source import Document

ITEMS = "items"
"""What errors call the table."""


def judge(
    items: pa.Table | Any, hypotheses: Sequence[Mapping[str, Any]], *, seed_sd: float | None = None
) -> list[dict[str, Any]]:
    """Judge hypotheses about arms by scores per question that were made anywhere.

    Nothing is read from and written to storage, so that earlier looks at the same arms are not known: who adds seeds
    until something is decided declares `looks`. Equal input gives equal verdicts.

    Args:
        items: a pyarrow Table or a pandas DataFrame with the columns `arm` (text), `seed` (integer), `benchmark`
            (text), `id` (text), `score` (0 to 1), and optionally `cluster` (text, the image of a question; default: its
            id), `prediction` and `reference` (text). One row for each question that an arm with a seed answered.
        hypotheses: as in a study: mappings with `id`, `claim`, `pairs` ([[reference, alternative], ...]), `on` (`all`,
            or names of benchmarks), `expect` (better, worse, equivalent, not-worse), `margin` (in points), `looks`.
        seed_sd: assumed standard deviation of an arm's score over seeds, in points, as in a study: makes arms with one
            seed comparable as recipes, and every verdict says that it was assumed.

    Returns:
        One mapping for each hypothesis, in their order: what `ablate verdicts --items --json` prints under `verdicts`.

    Raises:
        InputError: a ValueError that names everything that is wrong with the items or the hypotheses, by row.
    """
    claims, document = typed_claims(Document({"hypotheses": _plain(hypotheses)}))
    table = typed_table(_arrow_table(items), ITEMS)
    if not table.num_rows:
        raise InputError("must hold items, but is empty", place=ITEMS)
    checked = checked_items(ItemTable(table, (RowSource(ITEMS, table.num_rows),)))
    judged = judge_items(checked, claims, document, source=ITEMS, seed_sd=seed_sd)
    return list(verdicts_json(judged.verdicts)["verdicts"])


def _plain(hypotheses: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Copy hypotheses as plain values; tuples become lists."""
    if isinstance(hypotheses, Mapping | str) or not isinstance(hypotheses, Sequence):
        raise InputError(f"must be a list of mappings, but is {type(hypotheses).__name__}", key="hypotheses")
    try:
        plain: list[Any] = json.loads(json.dumps(list(hypotheses), default=_number))
    except (TypeError, ValueError) as error:
        raise InputError(f"must be plain values, as a YAML file holds them, but {error}", key="hypotheses") from error
    return plain


def _number(value: Any) -> Any:
    """Write a number of numpy as one of Python, for `json`."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"one is {type(value).__name__}")


def _arrow_table(items: Any) -> pa.Table:
    """Take a pyarrow Table as it is, and make one of a pandas frame, of the columns that are asked for."""
    if isinstance(items, pa.Table):
        return items
    if isinstance(items, pa.RecordBatch):
        return pa.Table.from_batches([items])
    if not (hasattr(items, "columns") and hasattr(items, "iloc")):
        law = f"must be a pyarrow Table or a pandas DataFrame, but is {type(items).__name__}"
        raise InputError(law, place=ITEMS)
    absent = [name for name in REQUIRED if name not in items.columns]
    if absent:
        raise absent_columns(absent, list(map(str, items.columns)), ITEMS)
    frame = items[[name for name in items.columns if name in SCHEMA.names]]
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, ValueError, TypeError) as error:
        if frame.columns.is_unique:
            Problems(_mixed_columns(frame)).raise_all()
        raise InputError(f"every column must be there once and of one type, but {error}", place=ITEMS) from error


def _mixed_columns(frame: Any) -> Iterator[InputError]:
    """Name the rows of a pandas frame that hold no text where others do."""
    source = RowSource(ITEMS, len(frame))
    for field in SCHEMA:
        if field.name not in frame.columns or not pa.types.is_string(field.type):
            continue
        values, missing = frame[field.name].tolist(), frame[field.name].isna().tolist()
        wrong = [row for row, value in enumerate(values) if not isinstance(value, str) and not missing[row]]
        if wrong:
            law = f"must be {kind_of(field)}, but is {values[wrong[0]]!r}"
            yield problem_of_rows([source.place(row) for row in wrong], len(wrong), law, field.name)
