"""Claims about orchestrator/tracking/mlflow_server.py: what a server is asked, and how often."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from orchestrator.tracking.mlflow_connect import CLIENT_SETTINGS
from orchestrator.tracking.mlflow_server import MlflowServer
from orchestrator.tracking.tracker import TrackerAwayError
from tests.support.fake_server import Response, fake_server


def test_a_run_is_asked_for_once_where_other_requests_are_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that gives up may have passed it on: a repeat would make a second run."""
    for name, value in CLIENT_SETTINGS.items():
        monkeypatch.setenv(name, value)
    requests: list[str] = []

    def give_up(path: str) -> Response:
        requests.append(path.rpartition("mlflow/")[2])
        return Response(504)

    with fake_server(give_up) as address:
        server = MlflowServer(MlflowClient(address), tmp_path, "fake", None)
        with pytest.raises(TrackerAwayError), server.translate_errors():
            server.create_run("1", "base s7", {})
        with pytest.raises(TrackerAwayError), server.translate_errors():
            server.client.get_run("1")
    assert requests == ["runs/create", "runs/get", "runs/get"]
