"""Check the rows of an items table against one another, and order them into cells of arm, seed and benchmark.

Every row is checked, in columns and not one by one: a table of a study's size takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from orchestrator.analysis.examples import Examples, some
from orchestrator.analysis.intervals import Floats
from orchestrator.items.table import NEVER_EMPTY, REQUIRED, ItemTable, values_of
from search_spaces.alike_names import alike, shown_apart
from search_spaces.errors import InputError, Problems
from search_spaces.quantities import number_of

Codes = NDArray[np.intp]
_MOST_CELLS = 10
"""Cells with other questions that are named; further ones are counted."""


@dataclass(frozen=True, eq=False)
class ItemCell:
    """What one arm with one seed has on one benchmark, in the order of the benchmark's ids."""

    examples: Examples
    predictions: tuple[str | None, ...] | None
    """None where no row of the table has one."""


@dataclass(frozen=True, eq=False)
class Items:
    """The cells of a table in which all arms and seeds answered the same questions of a benchmark."""

    arms: tuple[str, ...]
    """In the order in which they come first."""
    benchmarks: tuple[str, ...]
    """Sorted."""
    cells: dict[tuple[str, int, str], ItemCell]
    references: dict[str, tuple[str | None, ...]]
    """Benchmark -> reference of each of its ids, where the table has any."""
    clustered: frozenset[str]
    """Benchmarks of which some row names its cluster; in others every question is its own."""
    n_rows: int


@dataclass(frozen=True, eq=False)
class _Coded:
    """A column of text as numbers. Codes are in the order of the names, sorted."""

    names: tuple[str, ...]
    codes: Codes


def checked_items(items: ItemTable, *, same_references: bool = False) -> Items:
    """Check every row, and order the table into cells.

    Args:
        items: as they were read.
        same_references: whether the references of a question must be the same for all arms and seeds, too.

    Raises:
        InputError: everything that is wrong, together: values that are missing, empty or out of range, rows that come
            twice, questions that some arm or seed lacks, clusters (and references) of one question that differ.
    """
    table = items.table
    problems = Problems(_value_problems(items))
    if any(table[column].null_count for column in REQUIRED if column != "score"):
        problems.raise_all()
    arms, benchmarks, ids = (_coded(table, column) for column in ("arm", "benchmark", "id"))
    seeds, seed_codes = np.unique(values_of(table, "seed"), return_inverse=True)
    cell_codes = (arms.codes * len(seeds) + seed_codes) * len(benchmarks.names) + benchmarks.codes
    cells, cell_of = np.unique(cell_codes, return_inverse=True)
    order = np.argsort(cell_of * len(ids.names) + ids.codes, kind="stable")

    def cell_name(cell: int) -> tuple[str, int, str]:
        rest, benchmark = divmod(int(cells[cell]), len(benchmarks.names))
        arm, seed = divmod(rest, len(seeds))
        return arms.names[arm], int(seeds[seed]), benchmarks.names[benchmark]

    names = [cell_name(cell) for cell in range(len(cells))]
    rows_of_cells = np.split(order, np.cumsum(np.bincount(cell_of, minlength=len(cells)))[:-1])
    for column, coded in (("arm", arms), ("benchmark", benchmarks)):
        problems.extend(_alike(items, coded, column))
    problems.extend(_repeated(items, order, cell_of, ids, names))
    problems.extend(_other_questions(names, rows_of_cells, ids, benchmarks.names))
    problems.extend(_differing(items, benchmarks, ids, "cluster", "the image of a question"))
    if same_references:
        problems.extend(_differing(items, benchmarks, ids, "reference", "the reference of a question"))
    problems.raise_all()
    return _items(table, names, rows_of_cells, ids)


def _value_problems(items: ItemTable) -> Iterator[InputError]:
    table = items.table
    for column in REQUIRED:
        missing = np.flatnonzero(table[column].is_null().to_numpy())
        if missing.size:
            yield items.problem(missing, "must be given", column)
    for column in NEVER_EMPTY:
        empty = np.flatnonzero(pc.fill_null(pc.equal(table[column], ""), False).to_numpy())
        if empty.size:
            yield items.problem(empty, "must not be empty", column)
    scores = values_of(table, "score")
    wrong = np.flatnonzero(~((scores >= 0) & (scores <= 1)) & ~table["score"].is_null().to_numpy())
    if wrong.size:
        yield items.problem(wrong, f"must be a number from 0 to 1, but is {scores[wrong[0]]:g}", "score")


def _coded(table: pa.Table, column: str) -> _Coded:
    encoded = table[column].combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    names: list[str] = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), dtype=np.intp)
    rank[order] = np.arange(len(names))
    return _Coded(tuple(names[i] for i in order), rank[encoded.indices.to_numpy(zero_copy_only=False)])


def _alike(items: ItemTable, coded: _Coded, column: str) -> Iterator[InputError]:
    """Name arms or benchmarks that people take for one: a seed under the other name would be in no pair."""
    for pair in alike(coded.names):
        earlier, later = (int(np.flatnonzero(coded.codes == coded.names.index(name))[0]) for name in pair)
        rows = np.flatnonzero(coded.codes == coded.codes[max(earlier, later)])
        names = shown_apart(*(coded.names[coded.codes[row]] for row in sorted((earlier, later))))
        yield items.problem(
            rows, f"{column}s must differ in more than case, blanks and unseen signs, but {names} do not", column
        )


def _repeated(
    items: ItemTable, order: Codes, cell_of: Codes, ids: _Coded, names: list[tuple[str, int, str]]
) -> Iterator[InputError]:
    """Name rows that have arm, seed, benchmark and id of an earlier row."""
    same = (cell_of[order][1:] == cell_of[order][:-1]) & (ids.codes[order][1:] == ids.codes[order][:-1])
    repeated = np.sort(order[1:][same])
    if repeated.size:
        arm, seed, benchmark = names[cell_of[repeated[0]]]
        what = f"{arm}, seed {seed}, {benchmark}, {ids.names[ids.codes[repeated[0]]]}"
        yield items.problem(repeated, f"arm, seed, benchmark and id must come once, but {what} was there before", "id")


def _other_questions(
    names: list[tuple[str, int, str]], rows_of_cells: list[Codes], ids: _Coded, benchmarks: tuple[str, ...]
) -> Iterator[InputError]:
    """Name cells whose questions are not those of most cells of the benchmark."""
    for benchmark in benchmarks:
        cells = [number for number, name in enumerate(names) if name[2] == benchmark]
        there = [np.unique(ids.codes[rows_of_cells[number]]) for number in cells]
        if all(np.array_equal(questions, there[0]) for questions in there):
            continue
        counts = np.bincount(np.concatenate(there), minlength=len(ids.names))
        usual = counts * 2 > len(cells)
        wrong = []
        for number, questions in zip(cells, there, strict=True):
            has = np.zeros(len(ids.names), dtype=bool)
            has[questions] = True
            lacking, more = np.flatnonzero(usual & ~has), np.flatnonzero(has & ~usual)
            words = [f"lacks {_some(lacking, ids)}"] if lacking.size else []
            words += [f"has {_some(more, ids)}, which others lack"] if more.size else []
            if words:
                wrong.append(f"{names[number][0]} (seed {names[number][1]}) {' and '.join(words)}")
        further = f"; so do {number_of(len(wrong) - _MOST_CELLS, 'more run')}" if len(wrong) > _MOST_CELLS else ""
        yield InputError(
            f"all arms and seeds must have the same ids, but {'; '.join(wrong[:_MOST_CELLS])}{further}",
            place=f"benchmark {benchmark}",
            way_out="Score the missing ones, or leave these ids out for all.",
        )


def _some(codes: Codes, ids: _Coded) -> str:
    return some(ids.names[code] for code in codes)


def _differing(items: ItemTable, benchmarks: _Coded, ids: _Coded, column: str, what: str) -> Iterator[InputError]:
    """Name rows of a question whose value in a column is not that of the question's first row."""
    if items.table[column].null_count == len(items.table):
        return
    values = items.table[column]
    if column == "cluster":
        values = pc.coalesce(values, items.table["id"])
    known = np.flatnonzero(values.is_valid().to_numpy())
    coded = _coded(pa.table({column: values.take(known)}), column)
    _, question = np.unique(benchmarks.codes[known] * len(ids.names) + ids.codes[known], return_inverse=True)
    first = np.empty(question.max() + 1, dtype=np.intp)
    first[question[::-1]] = np.arange(len(known))[::-1]
    wrong = np.flatnonzero(coded.codes != coded.codes[first[question]])
    if wrong.size:
        row, before = wrong[0], first[question[wrong[0]]]
        name = f"{benchmarks.names[benchmarks.codes[known[row]]]} {ids.names[ids.codes[known[row]]]}"
        values_text = f"{coded.names[coded.codes[row]]!r} and was {coded.names[coded.codes[before]]!r} in"
        law = f"{what} must be the same for all arms and seeds, but that of {name} is {values_text}"
        yield items.problem(known[wrong], f"{law} {items.place(int(known[before]))}", column)


def _items(table: pa.Table, names: list[tuple[str, int, str]], rows_of_cells: list[Codes], ids: _Coded) -> Items:
    scores: Floats = values_of(table, "score")
    clustered: set[str] = set()
    of_benchmark: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    references: dict[str, tuple[str | None, ...]] = {}
    cells: dict[tuple[str, int, str], ItemCell] = {}
    for name, rows in zip(names, rows_of_cells, strict=True):
        if name[2] not in of_benchmark:
            own = tuple(ids.names[code] for code in ids.codes[rows])
            images = table["cluster"].take(rows)
            of_benchmark[name[2]] = own, own
            if images.null_count < len(rows):
                clustered.add(name[2])
                of_benchmark[name[2]] = own, tuple(pc.coalesce(images, table["id"].take(rows)).to_pylist())
            if table["reference"].null_count < len(table):
                references[name[2]] = tuple(table["reference"].take(rows).to_pylist())
        predictions = None
        if table["prediction"].null_count < len(table):
            predictions = tuple(table["prediction"].take(rows).to_pylist())
        cells[name] = ItemCell(Examples(*of_benchmark[name[2]], scores[rows]), predictions)
    arms = tuple(table["arm"].unique().to_pylist())
    return Items(arms, tuple(sorted(of_benchmark)), cells, references, frozenset(clustered), len(table))
