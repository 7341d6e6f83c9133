"""The tracking server is opened while something else is done, and what it says is heard when it is waited for."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from orchestrator.tracking import database_place, mlflow_connect
from orchestrator.tracking.opening import opening_tracker
from search_spaces.errors import InputError


def _refuse(text: str) -> None:
    raise AssertionError(text)


def test_the_block_runs_while_the_server_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, tracker = threading.Event(), object()

    def slow(uri: str | None, storage: Path) -> Any:
        answers.wait()
        return tracker

    monkeypatch.setattr(mlflow_connect, "open_tracker", slow)
    with opening_tracker("http://server", tmp_path, _refuse) as opened:
        answers.set()  # never, if the block began only once the server had answered
        assert opened() is tracker


def test_what_the_server_refuses_is_raised_where_it_is_waited_for(tmp_path: Path) -> None:
    began = []
    with opening_tracker("server:5000", tmp_path, _refuse) as opened:
        began.append(True)
        with pytest.raises(InputError, match="must be given with its scheme"):
            opened()
    assert began


def test_an_error_of_the_block_is_raised_whatever_the_server_says(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no Ray"), opening_tracker("server:5000", tmp_path, _refuse):
        raise RuntimeError("no Ray")


def test_an_embedded_database_in_a_place_of_several_machines_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(database_place, "mounts", lambda: [database_place.Mount(str(tmp_path), "nfs")])
    with opening_tracker(None, tmp_path, told.append) as opened:
        assert opened().server == mlflow_connect.EMBEDDED
    assert len(told) == 1
    assert "is an SQLite database on nfs" in told[0]
