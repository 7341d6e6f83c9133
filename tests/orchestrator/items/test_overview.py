"""Claims about what is shown beside verdicts on items: scores of arms, and what can be decided."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from orchestrator.items.check import checked_items
from orchestrator.items.judge import judge_items
from orchestrator.items.overview import ItemsOverview, overview_of
from orchestrator.items.table import ItemTable, RowSource, typed_table
from search_spaces.claims import typed_claims
from search_spaces.yaml_source import Document
from tests.support.item_rows import Row, item_rows


def overview(rows: list[Row], *pairs: tuple[str, str], **fields: Any) -> ItemsOverview:
    table = typed_table(pa.Table.from_pylist(rows), "items")
    items = checked_items(ItemTable(table, (RowSource("items", len(rows)),)))
    claims = [
        {"id": f"h{number}", "claim": "c", "pairs": [list(pair)], "expect": "better"}
        for number, pair in enumerate(pairs)
    ]
    read, document = typed_claims(Document({"hypotheses": claims, **fields}))
    return overview_of(judge_items(items, read, document, source="items"))


def test_every_arm_has_its_mean_over_seeds_on_every_benchmark() -> None:
    rows = item_rows({"base": 0.5, "other": 0.6}, benchmarks=("gqa", "pope"))
    shown = overview([row for row in rows if row["benchmark"] == "gqa" or row["arm"] == "base"], ("base", "other"))
    base, other = shown.rows
    assert [(cell.benchmark, round(cell.points, 6)) for cell in base.cells] == [(None, 50), ("gqa", 50), ("pope", 50)]
    assert [(cell.benchmark, round(cell.points, 6)) for cell in other.cells] == [("gqa", 60)]
    low, high = base.cells[1].interval or (0, 0)
    assert low < 50 < high


def test_more_questions_and_fewer_hypotheses_decide_smaller_effects() -> None:
    few = overview(item_rows({"base": 0.5, "other": 0.6, "third": 0.6}, n=100), ("base", "other"))
    many = overview(item_rows({"base": 0.5, "other": 0.6, "third": 0.6}, n=4000), ("base", "other"))
    both = overview(item_rows({"base": 0.5, "other": 0.6, "third": 0.6}, n=100), ("base", "other"), ("base", "third"))
    effects = [shown.power[0].smallest_effect or (0, 0) for shown in (many, few, both)]
    assert effects[0][0] < effects[1][0] < effects[2][0]
    assert few.power[0].n_examples == 100


def test_items_that_are_too_few_say_how_many_seeds_it_takes() -> None:
    rows = item_rows({"base": 0.5, "other": 0.6}, n=100)
    moved = {2: 0.06, 3: -0.06}  # the seeds of one arm differ by some points
    for row in rows:
        if row["arm"] == "other" and row["seed"] in moved and int(row["id"][1:]) < 100 * abs(moved[row["seed"]]):
            row["score"] = float(moved[row["seed"]] > 0)
    power = overview(rows, ("base", "other")).power[0]
    assert power.is_too_small
    assert [needed.points for needed in power.needed] == [1.0, 2.0, 5.0]
    calm, restless = power.needed[-1].seeds
    assert calm == restless
    assert calm is None or calm > 3


def test_one_seed_shows_no_margin_unless_the_spread_is_declared() -> None:
    rows = item_rows({"base": 0.5, "other": 0.6}, seeds=(1,))
    assert overview(rows, ("base", "other")).power[0].smallest_margin is None
    declared = overview(rows, ("base", "other"), seed_sd=1.0).power[0]
    assert declared.smallest_margin is not None
    assert declared.smallest_margin[0] > 1.0


def test_arms_that_answer_alike_have_an_error_all_the_same() -> None:
    rows = item_rows({"base": 0.5})
    shown = overview([*rows, *({**row, "arm": "copy"} for row in rows)], ("base", "copy"))
    smallest, _ = shown.power[0].smallest_effect or (0, 0)
    assert smallest > 0.5  # one question of 200
    assert shown.as_json()["arms"][1]["scores"][0]["points"] == pytest.approx(50)
