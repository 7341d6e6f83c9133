from __future__ import annotations

import json
from pathlib import Path

import pytest

from search_spaces.study_files import shipped_studies
from tests.support.command_line import LARGE_STUDIES, SMALL, SMALL_STUDIES, ablate


def test_plan_as_json_has_the_fixed_fields(small: Path, tmp_path: Path) -> None:
    planned = json.loads(ablate("plan", str(small), "--json", storage=tmp_path / "s").stdout)
    assert set(planned) >= {"study", "arms", "trials", "stages", "excluded"}
    assert set(planned["study"]) >= {"name", "digest"}
    assert [arm["name"] for arm in planned["arms"]] == ["base", "projector=linear"]
    for trial in planned["trials"]:
        assert set(trial) >= {"id", "arm", "seed", "stages"}
    for stage in planned["stages"]:
        assert set(stage) >= {"id", "key", "name", "steps", "after", "trials"}


def test_plan_leaves_the_storage_empty(small: Path, tmp_path: Path) -> None:
    ablate("plan", str(small), storage=tmp_path / "s")
    assert not list((tmp_path / "s").iterdir())


def test_a_misspelt_key_exits_with_2_and_names_file_line_key_and_the_nearest(small: Path, tmp_path: Path) -> None:
    small.write_text(SMALL.replace("projector: gelu-mlp\n  language", "projecter: gelu-mlp\n  language"))
    done = ablate("plan", str(small), storage=tmp_path / "s", check=2)
    assert f"{small}:6" in done.stderr
    assert "projecter" in done.stderr
    assert "projector" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_study_names_the_shipped_ones(tmp_path: Path) -> None:
    done = ablate("plan", "quickstrat", storage=tmp_path / "s", check=2)
    assert "quickstart" in done.stderr


def test_an_impossible_ask_is_a_note_of_plan_and_an_error_of_run(small: Path, tmp_path: Path) -> None:
    small.write_text(SMALL + "resources: {workers: 64}\n")
    planned = ablate("plan", str(small), storage=tmp_path / "s")
    assert "this machine cannot run it" in planned.stdout
    done = ablate("run", str(small), storage=tmp_path / "s", check=2)
    assert "64 workers" in done.stderr


def test_a_missing_image_is_named_before_anything_trains(tmp_path: Path) -> None:
    talk = [{"from": "human", "value": "<image>\nwhat?"}, {"from": "gpt", "value": "this"}]
    (tmp_path / "chat.json").write_text(json.dumps([{"id": "a7", "image": "gone.png", "conversations": talk}] * 2))
    study = tmp_path / "own.yaml"
    own = "sources: {own: {reader: llava, path: chat.json, version: '1', records: 2}}\n"
    own += "mixes: {own: {parts: [{source: own}]}}\n"
    study.write_text(SMALL.replace("data: easy-vqa-1500", "data: own") + own)
    done = ablate("run", str(study), "--data", str(tmp_path), storage=tmp_path / "s", check=2)
    assert "a7" in done.stderr
    assert "gone.png" in done.stderr
    assert not (tmp_path / "s" / "studies").exists()


def test_weights_that_cannot_be_had_are_an_error_of_run_naming_what_was_tried(small: Path, tmp_path: Path) -> None:
    small.write_text(SMALL.replace("language: llama-2x96", "language: smollm2-135m"))
    done = ablate("run", str(small), "--data", str(tmp_path / "none"), storage=tmp_path / "s", check=2)
    assert str(tmp_path / "none" / "smollm2-135m") in done.stderr
    assert "--data" in done.stderr


def test_a_study_of_benchmarks_is_planned_without_their_files_and_its_run_names_all_that_are_missing(
    small: Path, tmp_path: Path
) -> None:
    small.write_text(SMALL.replace("benchmarks: easy-vqa", "benchmarks: prismatic-12"))
    ablate("plan", str(small), storage=tmp_path / "s")
    done = ablate("run", str(small), "--data", str(tmp_path / "none"), storage=tmp_path / "s", check=2)
    for folder in ("vqav2", "gqa", "refcoco+", "ai2d"):
        assert str(tmp_path / "none" / "benchmarks" / folder) in done.stderr


def test_schema_is_json(tmp_path: Path) -> None:
    assert json.loads(ablate("schema", storage=tmp_path / "s").stdout)["type"] == "object"


def test_report_and_status_of_a_study_that_never_ran_say_so(small: Path, tmp_path: Path) -> None:
    assert "small" in ablate("report", str(small), storage=tmp_path / "s").stdout
    status = json.loads(ablate("status", str(small), "--json", storage=tmp_path / "s").stdout)
    assert status["counts"]["pending"] == 2


def test_logs_of_an_unknown_trial_exit_with_2(tmp_path: Path) -> None:
    assert "nothing-s7" in ablate("logs", "nothing-s7", storage=tmp_path / "s", check=2).stderr


def test_a_foreign_package_of_our_name_is_refused_naming_its_file(tmp_path: Path) -> None:
    foreign = tmp_path / "cluster"
    foreign.mkdir()
    (foreign / "__init__.py").write_text("")
    done = ablate("plan", "quickstart", storage=tmp_path / "s", cwd=tmp_path, check=None)
    assert done.returncode == 2
    assert str(foreign / "__init__.py") in done.stderr


def test_a_miniature_is_drawn_into_a_new_folder_and_never_into_one_that_is_there(tmp_path: Path) -> None:
    target = tmp_path / "mini"
    size = ("--images", "24", "--training-images", "24")
    done = ablate("data", "make-mini", str(target), *size, storage=tmp_path / "s")
    assert done.stdout.strip() == str(target)
    assert {path.name for path in target.iterdir()} == {"benchmarks", "mini-train.json", "qualitative", "train"}
    again = ablate("data", "make-mini", str(target), *size, storage=tmp_path / "s", check=2)
    assert "Name a new folder" in again.stderr


@pytest.mark.ray
@pytest.mark.parametrize("study", SMALL_STUDIES)
def test_every_small_shipped_study_runs_at_toy_size_and_running_it_again_does_nothing(
    study: str, tmp_path: Path
) -> None:
    first = ablate("run", study, "--toy", storage=tmp_path / "s")
    assert "FAILED" not in first.stdout
    report = json.loads(ablate("report", study, "--toy", "--json", storage=tmp_path / "s").stdout)
    assert report["study"] == f"{study}-toy"
    again = ablate("run", study, "--toy", storage=tmp_path / "s")
    assert "Nothing was left to do." in again.stdout


def test_every_shipped_study_has_a_toy_test() -> None:
    """Those of the paper have theirs in test_prismatic_toy.py."""
    assert {*SMALL_STUDIES, *LARGE_STUDIES} == set(shipped_studies())
