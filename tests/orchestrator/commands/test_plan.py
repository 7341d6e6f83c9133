"""`ablate plan` as a user calls it: fixed fields, nothing written, mistakes by file and line."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.command_line import SMALL, ablate


def test_plan_as_json_has_the_fixed_fields(small: Path, tmp_path: Path) -> None:
    planned = json.loads(ablate("plan", str(small), "--json", storage=tmp_path / "s").stdout)
    assert set(planned) >= {"study", "arms", "trials", "stages", "excluded"}
    assert set(planned["study"]) >= {"name", "digest"}
    assert [arm["name"] for arm in planned["arms"]] == ["base", "projector=linear"]
    for trial in planned["trials"]:
        assert set(trial) >= {"id", "arm", "seed", "stages"}
    for stage in planned["stages"]:
        assert set(stage) >= {"id", "key", "name", "steps", "after", "trials"}


def test_plan_makes_no_storage(small: Path, tmp_path: Path) -> None:
    ablate("plan", str(small), storage=tmp_path / "s")
    assert not (tmp_path / "s").exists()


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


def test_schema_is_json(tmp_path: Path) -> None:
    assert json.loads(ablate("schema", storage=tmp_path / "s").stdout)["type"] == "object"


def test_without_an_option_plan_is_a_summary_and_tables_are_asked_for(small: Path, tmp_path: Path) -> None:
    short = ablate("plan", str(small), storage=tmp_path / "s").stdout
    assert len(short.splitlines()) <= 15
    assert "does      2 arms" in short
    assert "Trials" not in short
    tables = ablate("plan", str(small), "--tables", storage=tmp_path / "s").stdout
    assert {"Arms", "Stages", "Trials"} <= set(tables.splitlines())


def test_resolved_prints_every_value_with_its_origin(small: Path, tmp_path: Path) -> None:
    lines = ablate(
        "plan", str(small), "--resolved", "--set", "base.epochs=2", storage=tmp_path / "s"
    ).stdout.splitlines()
    assert all("  # " in line for line in lines)
    assert any(line.endswith("# --set base.epochs=2") for line in lines)
    assert any("# catalogue encoders." in line for line in lines)


def test_two_forms_of_a_plan_at_once_are_refused(small: Path, tmp_path: Path) -> None:
    done = ablate("plan", str(small), "--tables", "--json", storage=tmp_path / "s", check=2)
    assert "must be given alone" in done.stdout + done.stderr


def test_beyond_its_disk_budget_a_plan_is_one_document_that_says_so(small: Path, tmp_path: Path) -> None:
    too_little = ("--set", "storage.budget_gb=0.000001", "--set", "blind=false")
    done = ablate("plan", str(small), "--json", *too_little, storage=tmp_path / "s", check=2)
    (problem,) = json.loads(done.stdout)["error"]["problems"]
    assert problem["key"] == "storage.budget_gb"
    resolved = ablate("plan", str(small), "--resolved", *too_little, storage=tmp_path / "s", check=2)
    assert (resolved.stdout, "storage.budget_gb" in resolved.stderr) == ("", True)
    shown = ablate("plan", str(small), *too_little, storage=tmp_path / "s", check=2)
    assert "does      2 arms" in shown.stdout
