"""`ablate verdicts` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command_line import ablate

TABLE = "model,GQA,mine,POPE\na,50,60,70\nb,52,61.5,73\n"
CLAIMS = """
hypotheses:
  - id: b-beats-a
    claim: b is better
    pairs: [[a, b]]
    on: all
    expect: better
"""
FIXED = {
    "id", "expect", "verdict", "holds", "scope", "effect", "unit", "interval", "level", "margin", "p", "p_adjusted",
    "n_seeds", "n_examples", "n_pairs", "reasons",
}  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "table.csv").write_text(TABLE)
    (tmp_path / "claims.yaml").write_text(CLAIMS)
    return str(tmp_path / "table.csv"), str(tmp_path / "claims.yaml")


def test_table_as_json_has_the_fixed_fields_and_exits_with_0(files: tuple[str, str], tmp_path: Path) -> None:
    done = ablate("verdicts", "--scores", files[0], "--hypotheses", files[1], "--json", storage=tmp_path / "s")
    verdict = json.loads(done.stdout)["verdicts"][0]
    assert set(verdict) >= FIXED
    assert (verdict["unit"], verdict["scope"], verdict["n_pairs"], verdict["level"]) == (
        "points",
        "checkpoints",
        1,
        0.95,
    )
    assert verdict["effect"] == pytest.approx(6.5 / 3)
    assert not (tmp_path / "s").exists()


def test_shipped_claims_on_the_shipped_table_give_the_papers_p_values(tmp_path: Path) -> None:
    names = ("--scores", "prismatic/published", "--hypotheses", "prismatic/claims", "--method", "prismatic-2024")
    found = json.loads(ablate("verdicts", *names, "--published", "--json", storage=tmp_path / "s").stdout)
    single = found["verdicts"][0]
    assert (single["id"], round(single["p"], 5), single["verdict"], single["unit"]) == (
        "single-stage", 0.00558, "better", "percent",
    )  # fmt: skip
    assert single["published"]["agrees"] is True
    assert found["aggregates"]["pool"]["name"] == "prismatic/published"
    assert found["source"] == "prismatic/published"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "one of STUDY, --scores and --items must be given"),
        (("quickstart", "--scores", "x"), "one of STUDY, --scores and --items must be given, and no two"),
        (("quickstart", "mini"), "one of STUDY, --scores and --items must be given"),
        (("quickstart", "--items", "x.jsonl"), "--items: must be JSON Lines, Parquet or folders, without a STUDY"),
        (("--items", "x.jsonl", "claims.yaml"), "Claims come after --hypotheses"),
        (("--items", "x.jsonl"), "--hypotheses: must be given with --items"),
        (("--items", "none.jsonl", "--hypotheses", "prismatic/claims"), "none.jsonl: must be readable"),
        (("--scores", "prismatic/published"), "--hypotheses: must be given"),
        (("quickstart", "--hypotheses", "prismatic/claims"), "--hypotheses: must come with --scores or --items"),
        (("--scores", "prismatic/publishd", "--hypotheses", "prismatic/claims"), "Did you mean 'prismatic/published'?"),
        (
            ("--scores", "prismatic/published", "--hypotheses", "prismatic/claims", "--method", "prismatic"),
            "Did you mean 'prismatic-2024'?",
        ),
        (("quickstart", "--method", "paired-table"), "--method: must be one of study, but got 'paired-table'"),
    ],
)
def test_bad_input_exits_with_2_and_a_way_out(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    done = ablate("verdicts", *arguments, storage=tmp_path, check=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_study_that_never_ran_is_undecided_naming_what_is_missing(tmp_path: Path) -> None:
    found = json.loads(ablate("verdicts", "quickstart", "--json", storage=tmp_path).stdout)["verdicts"]
    assert [one["verdict"] for one in found] == ["undecided"] * 4
    assert all(one["holds"] is None and one["effect"] is None for one in found)
    assert found[1]["reasons"][0].startswith("missing: base with seed 7 (pending)")


def test_plan_tells_what_each_hypothesis_can_decide(tmp_path: Path) -> None:
    planned = json.loads(ablate("plan", "quickstart", "--json", storage=tmp_path / "s").stdout)
    assert [one["id"] for one in planned["power"]] == [
        "resolution-shape", "pretraining", "negation-needs-data", "tokens",
    ]  # fmt: skip
    assert planned["power"][0]["smallest_effect"][0] < planned["power"][0]["smallest_effect"][1]
    text = ablate("plan", "quickstart", "--tables", storage=tmp_path / "s").stdout
    assert "What this can decide" in text
    assert "assumed: seed sd 0.3 to 1 points, a default" in text
