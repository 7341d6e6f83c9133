"""Claims about orchestrator/loaded_study.py, through `orchestrator.api`: what Python programs get."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import orchestrator.api as ablate
from tests.support.command_line import SMALL
from tests.support.command_line import ablate as command
from trainables.storage import layout
from trainables.storage.store import LocalStore


@pytest.mark.ray
def test_a_study_is_planned_run_and_read_like_by_the_commands(tmp_path: Path) -> None:
    storage = tmp_path / "s"
    study = ablate.load("quickstart", storage=storage, toy=True, limit=2)
    selection = ("quickstart", "--toy", "--limit", "2", "--json")
    printed = json.loads(command("plan", *selection, storage=storage).stdout)
    assert {"schema_version": 1, **json.loads(json.dumps(study.plan()))} == printed
    assert len(printed["trials"]) == 2

    done = study.run(offline=True)
    assert done.ledger.counts()["done"] == 2
    assert study.run(offline=True).outcomes is None  # nothing was left to do
    assert study.status().counts == done.ledger.counts()
    assert study.report().study == "quickstart-toy"

    scores = study.scores().frame()
    assert set(scores["benchmark"]) == {column.benchmark for column in study.report().columns}
    assert len(scores) == 2 * scores["benchmark"].nunique()
    for benchmark, rows in scores.groupby("benchmark"):
        examples = study.examples(str(benchmark)).frame()
        by_trial = examples.groupby("seed")["score"].mean() * 100
        assert dict(zip(rows["seed"], rows["points"].round(6), strict=True)) == by_trial.round(6).to_dict()
        assert set(examples) == {"arm", "seed", "id", "cluster", "prediction", "parsed", "score"}


def test_without_results_there_are_no_rows_but_their_columns(tmp_path: Path) -> None:
    study = ablate.load("quickstart", storage=tmp_path, overrides=["seeds=[7]"])
    assert study.status().counts["pending"] == len(study.plan()["trials"]) == 8
    assert study.scores().table.num_rows == study.examples("easy-vqa-shape").table.num_rows == 0
    assert study.examples("easy-vqa-shape").table.column_names[:3] == ["arm", "seed", "id"]
    with pytest.raises(ablate.InputError, match=r"must be one of easy-vqa-color, .* but got 'shape'"):
        study.examples("shape")


def test_a_study_goes_by_its_name_on_storage_as_on_the_command_line(tmp_path: Path) -> None:
    LocalStore(tmp_path).put(layout.study_file("small"), SMALL.encode())
    assert len(ablate.load("small", storage=tmp_path).plan()["trials"]) == 2


def test_a_mistake_is_the_error_of_the_command(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="STUDY must be a file, or one of"):
        ablate.load("nothing", storage=tmp_path)
    with pytest.raises(ablate.InputError, match="nothing is there"):
        ablate.load("quickstart", storage=tmp_path / "absent").status()
