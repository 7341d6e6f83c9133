"""Keep the examples of an evaluation set that a study names by their ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from search_spaces.errors import InputError
from search_spaces.spec import BenchmarkSpec

if TYPE_CHECKING:
    from trainables.data.prepared import PreparedSource

_SHOWN = 5
"""Ids in a message."""


def chosen_rows(benchmark: BenchmarkSpec, source: PreparedSource, rows: list[int]) -> list[int]:
    """Keep the rows of the examples that a study names, in their order; all of them where it names none.

    Args:
        benchmark: whose `only` has the ids.
        source: its data.
        rows: of the examples that its `select` leaves.

    Raises:
        InputError: an id is of none of these examples.
    """
    if benchmark.only is None:
        return rows
    named = set(source.rows_of(benchmark.only.ids))
    kept = [row for row in rows if row in named]
    problem = absent_ids(benchmark, map(source.id, kept))
    if problem is not None:
        raise problem
    return kept


def absent_ids(benchmark: BenchmarkSpec, ids: Iterable[str]) -> InputError | None:
    """Make the error for ids that a study names and that are not there; None where all are.

    Args:
        benchmark: whose `only` has the ids.
        ids: those that are there.
    """
    absent = set(benchmark.only.ids if benchmark.only is not None else ()) - set(ids)
    if not absent:
        return None
    shown = ", ".join(map(repr, sorted(absent)[:_SHOWN])) + (", ..." if len(absent) > _SHOWN else "")
    total = len(benchmark.only.ids) if benchmark.only is not None else 0
    where = benchmark.source.declared + ("" if benchmark.select is None else f" with the tag {benchmark.select!r}")
    return InputError(
        f"`only` must hold ids of {where}, but {len(absent):,} of {total:,} are not there: {shown}",
        key=f"benchmarks.{benchmark.id}.only",
        way_out="Ids are those of the data; `ablate questions STUDY --informative FOLDER` writes such files.",
    )
