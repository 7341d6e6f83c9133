"""A tracking server that does not answer is an error at start; without one a storage has its own database."""

from __future__ import annotations

import errno
import fcntl
import shlex
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy.engine import make_url

from orchestrator.own_command import own_command
from orchestrator.tracking.mlflow_connect import open_command, open_tracker
from search_spaces.errors import InputError
from tests.orchestrator.tracking.test_mlflow_tracker import PLAN
from trainables.storage import layout


def test_server_that_does_not_answer_is_an_error_at_start(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(InputError, match=f"{uri}: the tracking server must answer"):
            open_tracker(uri, tmp_path)


def test_database_of_a_newer_mlflow_is_an_error_not_a_migration(storage: Path) -> None:
    with sqlite3.connect(storage / layout.TRACKING_DATABASE) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'fffffffffff1'")
    with pytest.raises(InputError, match="must have a schema that MLflow"):
        open_tracker(None, storage)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:100],
        lambda content: b"{}",
        lambda content: b"[1, 2]",
        lambda content: b"\x93NUMPY\x00\xff\xfe" * 8,
    ],
    ids=["cut", "cut in the header", "no fields", "a list", "binary"],
)
def test_a_damaged_embedded_database_is_refused_by_name(storage: Path, damage: Callable[[bytes], bytes]) -> None:
    path = storage / layout.TRACKING_DATABASE
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"mlflow\.db: the tracking database must be one of SQLite") as refused:
        open_tracker(None, storage)
    assert str(path) in str(refused.value)
    assert "ablate sync" in str(refused.value)
    path.rename(path.with_suffix(".damaged"))
    open_tracker(None, storage).open_study(PLAN)


def test_an_empty_embedded_database_is_made_anew(storage: Path) -> None:
    (storage / layout.TRACKING_DATABASE).write_bytes(b"")
    open_tracker(None, storage).open_study(PLAN)


def test_embedded_study_is_opened_with_one_command(storage: Path) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN)
    text = open_command(tracker)
    assert text.startswith(f"To open MLflow:  {own_command('open', 'small', '--storage', str(storage))}\n")
    page = tracker.page_of("small", "http://127.0.0.1:5000")
    assert page == tracker.link("http://127.0.0.1:5000")
    assert page is not None
    assert "/#/experiments/1/runs?workflowType=machine_learning" in page
    assert tracker.page_of("another", "http://127.0.0.1:5000") is None


def test_a_job_says_from_where_its_database_is_opened(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = open_tracker(None, storage)
    assert "This is a job" not in open_command(tracker)
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    host = socket.gethostname()
    assert f"This is a job on {host}: `ablate open` works wherever {storage} is mounted" in open_command(tracker)
    assert f"ssh -L 5000:127.0.0.1:5000 {host}" in open_command(tracker)


def test_embedded_database_a_path_with_any_character_lies_below_the_storage_and_its_command_can_be_pasted(
    tmp_path: Path,
) -> None:
    storage = tmp_path / "st e 100% #1?x=y [red]$(id)'q"
    storage.mkdir()
    tracker = open_tracker(None, storage)
    assert (storage / "tracking" / "mlflow.db").is_file()
    assert [entry.name for entry in tmp_path.iterdir()] == [storage.name]
    command = shlex.split(open_command(tracker).splitlines()[0].removeprefix("To open MLflow:"))
    assert command[-3:] == ["open", "--storage", str(storage)]
    assert make_url(tracker.uri).database == f"{storage}/tracking/mlflow.db"


def test_embedded_database_a_file_system_without_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> NoReturn:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(InputError, match=r"must have locks.*No locks available(?s:.*)--tracking-uri"):
        open_tracker(None, tmp_path)
