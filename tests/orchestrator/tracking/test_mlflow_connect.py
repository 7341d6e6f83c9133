"""A tracking server that does not answer is an error at start; without one a storage has its own database."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

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
    assert f"mlflow ui --backend-store-uri sqlite:///{storage}/tracking/mlflow.db --host 127.0.0.1" in text
    assert "http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning" in text
