"""Claims about `ablate doctor`, through the command line: what a run would meet, and the exit code."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any, NoReturn

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.doctor.facts import MachineFacts, PackageFacts
from orchestrator.state.runs import now_ms
from tests.support.command_line import SMALL
from tests.support.fake_server import Response, fake_server
from trainables.storage import layout
from trainables.storage.owner import Owner
from trainables.storage.record_files import write
from trainables.storage.records import RunRecord
from trainables.storage.store import LocalStore

QUIET = MachineFacts(2, 16 * 10**9, 12 * 10**9, 0, (), None, "no library", "2.14.1+cpu")


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test a machine with free memory, all packages, and no cluster or server in the environment."""
    monkeypatch.setattr("orchestrator.doctor.diagnose.machine_facts", lambda: QUIET)
    monkeypatch.setattr("orchestrator.doctor.diagnose.package_facts", lambda: PackageFacts({}, ()))
    for name in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI", "ABLATE_DATA"):
        monkeypatch.delenv(name, raising=False)


def _doctor(storage: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    done = CliRunner().invoke(app, ["doctor", *arguments, "--storage", str(storage), "--json"], catch_exceptions=False)
    return done.exit_code, json.loads(done.stdout), done.output


def _of(answer: dict[str, Any], area: str) -> list[dict[str, Any]]:
    return [finding for finding in answer["findings"] if finding["area"] == area]


def test_doctor_of_a_good_machine_ends_with_0_and_leaves_nothing(tmp_path: Path) -> None:
    code, answer, _ = _doctor(tmp_path / "deep" / "storage")
    assert (code, answer["fails"]) == (0, False)
    assert {finding["area"] for finding in answer["findings"]} == {
        "machine",
        "packages",
        "cluster",
        "storage",
        "tracking",
    }
    assert not [finding for finding in answer["findings"] if finding["state"] in ("fails", "unknown")]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("error", "way_out"), [(errno.ENOSPC, "ablate gc"), (errno.EIO, "another POSIX file system")])
def test_doctor_of_a_storage_without_space_advises_gc_and_of_any_other_trouble_another_folder(
    error: int, way_out: str, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(size: int) -> NoReturn:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "urandom", fail)  # what the probe of free space writes
    code, answer, _ = _doctor(store.root)
    found = _of(answer, "storage")
    assert code == 2
    assert [finding["state"] for finding in found].count("fails") == 1
    assert way_out in next(finding["way_out"] for finding in found if finding["state"] == "fails")
    assert len(found) == (1 if error == errno.ENOSPC else 2)  # room is judged where it is not what failed


def test_doctor_leaves_a_storage_as_it_was_and_names_the_runs_that_go_on(store: LocalStore) -> None:
    owner = Owner.here()
    write(store, layout.run_record("small", "n1"), RunRecord("n1", owner.host, owner.pid, "ada@n7", now_ms(), "run"))
    assert store.lease(layout.run_lease("small", "n1"), owner)
    before = sorted(store.root.rglob("*"))
    code, answer, _ = _doctor(store.root, "--offline")
    assert code == 0
    assert any("small of ada@n7" in finding["says"] for finding in _of(answer, "storage"))
    assert _of(answer, "tracking") == []
    assert sorted(store.root.rglob("*")) == before


def test_storage_that_cannot_be_one_fails_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    code, answer, _ = _doctor(tmp_path / "file")
    (finding,) = [finding for finding in _of(answer, "storage") if finding["state"] == "fails"]
    assert code == 2
    assert "--storage" in finding["way_out"]
    assert (tmp_path / "file").read_text() == "no folder"


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the storage never answer."""
    monkeypatch.setattr("orchestrator.doctor.diagnose.storage_facts", lambda root: threading.Event().wait())


@pytest.mark.usefixtures("hanging")
def test_storage_that_hangs_is_said_and_what_lies_on_it_is_not_asked(tmp_path: Path) -> None:
    code, answer, _ = _doctor(tmp_path, "quickstart", "--within", "0.1")
    assert code == 2
    assert [finding["says"] for finding in _of(answer, "storage")] == ["the storage gave no answer within 0.1 s"]
    assert [finding["state"] for finding in _of(answer, "study")] == ["unknown"]
    assert _of(answer, "tracking") == []


def test_tracking_server_that_wants_credentials_fails_and_those_given_are_not_shown(tmp_path: Path) -> None:
    with fake_server(lambda path: Response(401, "who are you?", "text/plain")) as address:
        code, answer, output = _doctor(tmp_path, "--tracking-uri", address.replace("://", "://ada:s3cret@"))
    (finding,) = _of(answer, "tracking")
    assert (code, finding["state"]) == (2, "fails")
    assert "401" in finding["says"]
    assert "MLFLOW_TRACKING_USERNAME" in finding["way_out"]
    assert "s3cret" not in output


def test_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    code, answer, _ = _doctor(tmp_path, "--tracking-uri", f"sqlite:///{tmp_path}/runs.db")
    (finding,) = _of(answer, "tracking")
    assert (code, finding["state"]) == (0, "right")
    assert "a run makes it" in finding["says"]
    assert list(tmp_path.iterdir()) == []


def test_left_over_address_of_a_cluster_fails_and_says_how_to_be_rid_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    code, answer, _ = _doctor(tmp_path, "--offline")
    (finding,) = _of(answer, "cluster")
    assert (code, finding["state"]) == (2, "fails")
    assert "RAY_ADDRESS" in finding["says"]
    assert "Unset RAY_ADDRESS" in finding["way_out"]


def test_study_whose_inputs_are_there_has_only_findings_that_no_run_fails_by(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(SMALL)
    code, answer, _ = _doctor(tmp_path / "storage", str(tmp_path / "study.yaml"), "--toy", "--offline")
    assert code == 0
    assert any("2 trials" in finding["says"] for finding in _of(answer, "study"))
    assert not (tmp_path / "storage").exists()


def test_data_that_are_missing_fail_by_name(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(SMALL.replace("easy-vqa-1500", "llava-v15"))
    code, answer, _ = _doctor(tmp_path / "storage", str(tmp_path / "study.yaml"), "--offline")
    failing = [finding["says"] for finding in _of(answer, "study") if finding["state"] == "fails"]
    assert code == 2
    assert any("llava" in says for says in failing)


def test_study_that_cannot_be_planned_is_a_finding_beside_the_others(tmp_path: Path) -> None:
    code, answer, _ = _doctor(tmp_path, str(tmp_path / "nothing.yaml"), "--offline")
    assert code == 2
    assert [finding["state"] for finding in _of(answer, "study")] == ["fails"]
    assert _of(answer, "storage")


def test_terminal_shows_ten_lines_or_all_details_and_what_they_come_to(tmp_path: Path) -> None:
    command = ["doctor", "--storage", str(tmp_path), "--offline"]
    short, long = (
        CliRunner().invoke(app, [*command, *more], catch_exceptions=False).stdout.splitlines()
        for more in ([], ["--details"])
    )
    assert len(short) <= 10
    assert all(lines[-1].startswith("Nothing will fail") for lines in (short, long))
    assert sum(line.startswith(("right ", "slow ")) for line in long) == 9
