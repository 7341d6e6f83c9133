"""Claims about `judge`, the door for Python programs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from orchestrator.api import judge
from search_spaces.errors import InputError
from tests.support.command_line import ablate
from tests.support.item_rows import item_rows, write_lines

ROWS = item_rows({"base": 0.5, "other": 0.7}, benchmarks=("gqa", "pope"))
CLAIMS = [
    {"id": "h", "claim": "c", "pairs": [["base", "other"]], "expect": "better"},
    {"id": "i", "claim": "c", "pairs": (("base", "other"),), "on": "pope", "expect": "not-worse", "margin": 1.5},
]


def test_a_table_a_frame_and_the_command_line_say_the_same(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    verdicts = judge(table, CLAIMS)
    frame = table.to_pandas()
    assert judge(frame, CLAIMS) == verdicts
    assert judge(frame.astype({"arm": "category", "seed": "int32", "score": "float32"}), CLAIMS) == verdicts
    (tmp_path / "claims.yaml").write_text(json.dumps({"hypotheses": CLAIMS}))
    files = [write_lines(tmp_path / "a.jsonl", ROWS[::2]), write_lines(tmp_path / "b.jsonl", ROWS[1::2])]
    done = ablate(
        *("verdicts", "--items", *map(str, files), "--hypotheses", str(tmp_path / "claims.yaml"), "--json"),
        storage=tmp_path / "s",
    )
    assert json.loads(done.stdout)["verdicts"] == verdicts
    assert not (tmp_path / "s").exists()


def test_neither_the_order_of_rows_nor_other_columns_nor_types_of_a_kind_matter() -> None:
    frame = pd.DataFrame(ROWS)
    verdicts = judge(frame, CLAIMS)
    assert judge(frame.sample(frac=1, random_state=1), CLAIMS) == verdicts
    assert judge(frame.assign(extra=[[1] if i % 2 else {"a": 1} for i in range(len(frame))]), CLAIMS) == verdicts
    assert judge(frame.astype({"arm": "string", "seed": "Int64", "score": "Float64"}), CLAIMS) == verdicts
    assert judge(frame.assign(prediction=np.nan, reference=None), CLAIMS) == verdicts
    table = pa.Table.from_pandas(frame)
    coded = table.set_column(0, "arm", table["arm"].cast(pa.large_string()).dictionary_encode())
    assert judge(coded.set_column(1, "seed", coded["seed"].cast(pa.uint16())), CLAIMS) == verdicts


def test_effects_are_the_mean_of_paired_differences() -> None:
    verdict = judge(pa.Table.from_pylist(ROWS), CLAIMS)[0]
    scores = pd.DataFrame(ROWS).groupby(["benchmark", "arm"])["score"].mean().unstack()
    assert verdict["effect"] == pytest.approx(100 * (scores["other"] - scores["base"]).mean())
    assert (verdict["verdict"], verdict["holds"], verdict["n_seeds"], verdict["n_examples"]) == ("better", True, 3, 400)


def test_an_assumed_spread_makes_recipes_of_single_seeds() -> None:
    table = pa.Table.from_pylist(item_rows({"base": 0.5, "other": 0.7}, seeds=(1,)))
    assert judge(table, CLAIMS[:1])[0]["scope"] == "checkpoints"
    assumed = judge(table, CLAIMS[:1], seed_sd=0.5)[0]
    assert (assumed["scope"], assumed["seeds_from"]) == ("recipe", "assumed")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda frame: frame.assign(score=frame["score"] * 100),
            "items, row 2: score: must be a number .* 100; the same in 1,439 more rows: row 5, row 7,",
        ),
        (lambda frame: frame.drop(columns="seed"), "there is no seed"),
        (lambda frame: frame.rename(columns={"score": "scor"}), "Is scor its score?"),
        (
            lambda frame: frame.assign(seed=frame["seed"] * 1.0),
            "seed: must be a whole number, but the column is double",
        ),
        (lambda frame: frame.assign(id=[1, *frame["id"][1:]]), "items, row 1: id: must be text, but is 1"),
        (lambda frame: frame.iloc[:0], "must hold items, but is empty"),
        (lambda frame: frame.assign(score=np.nan), "score: must be"),
        (lambda frame: frame.iloc[1:], "base (seed 1) lacks q0"),
        (lambda frame: list(frame), "must be a pyarrow Table or a pandas DataFrame, but is list"),
    ],
)
def test_wrong_items_are_named(spoil: object, message: str) -> None:
    assert callable(spoil)
    with pytest.raises(InputError, match=message.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?")):
        judge(spoil(pd.DataFrame(ROWS)), CLAIMS)


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"id": "h"}, "hypotheses: must be a list of mappings, but is dict"),
        ([{**CLAIMS[0], "expect": "beter"}], "hypotheses[0].expect: must be one of better, worse"),
        ([{**CLAIMS[0], "pairs": {1, 2}}], "must be plain values"),
        ([], "hypotheses: must have at least 1"),
    ],
)
def test_wrong_hypotheses_are_named(claims: object, message: str) -> None:
    with pytest.raises(InputError) as raised:
        judge(pa.Table.from_pylist(ROWS), claims)  # type: ignore[arg-type]
    assert message in str(raised.value)
