"""A tracking server that does not answer is an error at start; without one a storage has its own database."""

from __future__ import annotations

import socket
import sqlite3
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


def test_embedded_study_is_opened_with_one_command(storage: Path) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN, {})
    text = open_command(tracker)
    assert f"mlflow ui --backend-store-uri sqlite:///{storage}/tracking/mlflow.db --host 127.0.0.1" in text
    assert "http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning" in text
