"""Verdicts for Python programs: `judge` says of scores per question what `ablate verdicts --items --json` says.

import pyarrow.parquet as pq
from orchestrator.api import judge

verdicts = judge(
    pq.read_table("items.parquet"),
    [{"id": "ours", "claim": "Ours is better", "pairs": [["theirs", "ours"]], "expect": "better"}],
)
print(verdicts[0]["verdict"], verdicts[0]["interval"])
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from orchestrator.analysis.verdict_model import verdicts_json
from orchestrator.items.check import checked_items
from orchestrator.items.judge import judge_items
from orchestrator.items.table import ItemTable, RowSource, typed_table
from search_spaces.claims import typed_claims
from search_spaces.errors import InputError
from search_spaces.yaml_source import Document

ITEMS = "items"
"""What errors call the table."""


def judge(
    items: pa.Table | Any, hypotheses: Sequence[Mapping[str, Any]], *, seed_sd: float | None = None
) -> list[dict[str, Any]]:
    """Judge hypotheses about arms by scores per question that were made anywhere.

    Nothing is read from and written to storage, and nothing is drawn at random: equal input gives equal verdicts.

    Args:
        items: a pyarrow Table or a pandas DataFrame with the columns `arm` (text), `seed` (integer), `benchmark`
            (text), `id` (text), `score` (0 to 1), and optionally `cluster` (text, the image of a question; default: its
            id), `prediction` and `reference` (text). One row for each question that an arm with a seed answered.
        hypotheses: as in a study: mappings with `id`, `claim`, `pairs` ([[reference, alternative], ...]), `on` (`all`,
            or names of benchmarks), `expect` (better, worse, equivalent, not-worse) and `margin` (in points).
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
        plain: list[Any] = json.loads(json.dumps(list(hypotheses)))
    except (TypeError, ValueError) as error:
        raise InputError(f"must be plain values, as a YAML file holds them, but {error}", key="hypotheses") from error
    return plain


def _arrow_table(items: Any) -> pa.Table:
    """Take a pyarrow Table as it is, and make one of a pandas frame."""
    if isinstance(items, pa.Table):
        return items
    if not (hasattr(items, "columns") and hasattr(items, "iloc")):
        law = f"must be a pyarrow Table or a pandas DataFrame, but is {type(items).__name__}"
        raise InputError(law, place=ITEMS)
    try:
        return pa.Table.from_pandas(items, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise InputError(f"every column must be of one type, but {error}", place=ITEMS) from error
