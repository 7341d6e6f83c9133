"""CSV and JSON have every score, difference and verdict, and a line for what is not there."""

from __future__ import annotations

import csv
import io
import json

import pytest

from orchestrator.reporting.csv_json import COLUMNS, to_csv, to_json
from tests.support.command_line import ROOT
from tests.support.report_cases import HOSTILE, finished, hostile, under_way
from trainables.storage.store import LocalStore


def test_csv_parses_back_to_scores_means_differences_and_verdicts(store: LocalStore) -> None:
    report = finished(store)
    lines = list(csv.DictReader(io.StringIO(to_csv(report))))
    assert list(lines[0]) == [*COLUMNS, "axis:resolution"]
    kinds = [line["kind"] for line in lines]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "score": 3 * 3 * 3,  # arms, seeds, two benchmarks and their mean
        "mean": 3 * 3,
        "median": 3 * 3,
        "difference": 2 * 3,
        "verdict": 3,
        "prior": 2,
    }
    one = next(line for line in lines if (line["kind"], line["arm"], line["benchmark"]) == ("mean", "base", "shape"))
    estimate = report.rows[0].cells[0].estimate
    assert estimate is not None
    assert float(one["value"]) == pytest.approx(estimate.value, abs=1e-3)
    assert (one["n_seeds"], one["n_examples"], one["n_images"], one["axis:resolution"]) == ("3", "400", "100", "64px")
    assert next(line for line in lines if line["kind"] == "verdict")["note"] == "holds"
    prior = next(line for line in lines if line["kind"] == "prior")
    assert (prior["id"], prior["benchmark"], prior["value"]) == ("best constant answer", "shape", "12.5")


def test_csv_has_a_line_for_every_score_that_is_not_there(store: LocalStore) -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(under_way(store)))))
    states = {(line["arm"], line["seed"]): line["state"] for line in lines if line["kind"] == "score"}
    assert states["resolution=32px", "7"] == "failed"
    assert states["resolution=16px", "7"] == "diverged"
    assert states["base", "7"] == "ok"
    assert all(not line["value"] for line in lines if line["kind"] == "score" and line["state"] != "ok")


def test_csv_keeps_hostile_names(store: LocalStore) -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(hostile(store)))))
    assert HOSTILE in {line["arm"] for line in lines}


def test_json_has_verdicts_and_everything_else(store: LocalStore) -> None:
    loaded = json.loads(to_json(finished(store)))
    verdict = loaded["verdicts"]["verdicts"][0]
    assert (verdict["id"], verdict["holds"], verdict["verdict"]) == ("smaller", True, "worse")
    assert set(loaded) >= {"rows", "axes", "curves", "work", "costs", "samples", "provenance", "power", "failures"}


def test_docs_name_every_column_of_the_csv() -> None:
    page = (ROOT / "docs" / "report.md").read_text()
    assert [name for name in COLUMNS if f"`{name}`" not in page] == []
