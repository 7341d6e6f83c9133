"""Claims about the check of items: whatever is wrong is named, with its row, and all of it at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.items.check import Items, checked_items
from orchestrator.items.files import read_items
from search_spaces.errors import InputError
from tests.support.item_rows import Row, item_rows, write_lines

ROWS = item_rows({"base": 0.5, "other": 0.6, "third": 0.7}, seeds=(1, 2), n=8)


def checked(folder: Path, rows: list[Row]) -> Items:
    return checked_items(read_items([write_lines(folder / "items.jsonl", rows)]))


def _set(row: int, **values: Any) -> Callable[[list[Row]], None]:
    return lambda rows: rows[row].update(values)


def _swap_question(rows: list[Row]) -> None:
    rows[10]["id"] = "new"


WRONG = {
    "beyond 1": (_set(3, score=1.5), "items.jsonl:4: score: must be a number from 0 to 1, but is 1.5"),
    "no number": (_set(3, score=math.nan), "items.jsonl:4: score: must be a number from 0 to 1, but is nan"),
    "text": (_set(3, score="1"), 'items.jsonl:4: score: must be a number from 0 to 1, but is "1"'),
    "truth": (_set(3, score=True), "items.jsonl:4: score: must be a number from 0 to 1, but is true"),
    "fraction": (_set(3, seed=1.5), "items.jsonl:4: seed: must be a whole number, but is 1.5"),
    "number": (_set(3, id=7), "items.jsonl:4: id: must be text, but is 7"),
    "nothing": (_set(3, arm=None), "items.jsonl:4: arm: must be given"),
    "empty": (_set(3, cluster=""), "items.jsonl:4: cluster: must not be empty"),
    "twice": (_set(3, id="q0"), "items.jsonl:4: id: arm, seed, benchmark and id must come once, but base, seed 1, gqa"),
    "lacking": (lambda rows: rows.pop(10), "but base (seed 2) lacks q2"),
    "further": (lambda rows: rows.append({**rows[40], "id": "new"}), "but third (seed 2) has new, which others lack"),
    "another": (_swap_question, "but base (seed 2) lacks q2 and has new, which others lack"),
    "moved": (
        _set(10, cluster="gqa-7"),
        "items.jsonl:11: cluster: the image of a question must be the same for all arms and seeds, but that of gqa q2 "
        "is 'gqa-7' and was 'gqa-0' in",
    ),
}


@pytest.mark.parametrize("fault", WRONG)
def test_what_is_wrong_is_named_with_its_row(fault: str, tmp_path: Path) -> None:
    spoil, message = WRONG[fault]
    rows = [dict(row) for row in ROWS]
    spoil(rows)
    with pytest.raises(InputError) as raised:
        checked(tmp_path, rows)
    assert message in str(raised.value)


def test_all_problems_come_together_and_each_kind_once_with_its_number(tmp_path: Path) -> None:
    rows = [dict(row) for row in ROWS]
    for number in (0, 5, 7, 20, 30, 40):
        rows[number]["score"] = 2.0
    rows[11]["cluster"] = "elsewhere"
    del rows[47]
    with pytest.raises(InputError) as raised:
        checked(tmp_path, rows)
    problems = str(raised.value).split("\n\n")
    assert len(problems) == 3
    assert "the same in 5 more rows: items.jsonl:6, items.jsonl:8, items.jsonl:21, items.jsonl:31, ..." in problems[0]
    assert "third (seed 2) lacks q7" in problems[1]
    assert "items.jsonl:12: cluster" in problems[2]


def test_rows_may_come_in_any_order_and_a_cluster_may_be_missing(tmp_path: Path) -> None:
    rows = [dict(row) for row in ROWS]
    for row in rows:
        if row["id"] == "q5":
            del row["cluster"]
    items = checked(tmp_path, rows[::-1])
    assert (items.arms, items.benchmarks, items.n_rows) == (("third", "other", "base"), ("gqa",), 48)
    examples = items.cells["base", 1, "gqa"].examples
    assert examples.ids == tuple(f"q{i}" for i in range(8))
    assert examples.clusters == ("gqa-0",) * 4 + ("gqa-1", "q5", "gqa-1", "gqa-1")
    assert examples.scores.tolist() == [row["score"] for row in ROWS[:8]]
