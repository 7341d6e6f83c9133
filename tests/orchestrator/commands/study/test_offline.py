"""A run without a tracking server is sent to one later, and nothing is doubled."""

from __future__ import annotations

import os
import shlex
import socket
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.support.command_line import ablate

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def test_a_server_that_is_down_at_the_start_is_an_error_that_names_the_way_out(
    tmp_path: Path, closed_port: int
) -> None:
    uri = f"http://127.0.0.1:{closed_port}"
    done = ablate("run", "quickstart", "--toy", "--tracking-uri", uri, storage=tmp_path, check=2)
    assert f"{uri}: the tracking server must answer" in done.stderr
    assert "--offline" in done.stderr


@pytest.mark.ray
def test_an_offline_run_is_sent_to_a_server_later_and_nothing_is_doubled(tmp_path: Path, closed_port: int) -> None:
    storage, uri = tmp_path / "s", f"sqlite:///{tmp_path / 'server.db'}"
    toy = ("quickstart", "--toy", "--limit", "2")
    away = f"http://127.0.0.1:{closed_port}"
    ran = ablate("run", *toy, "--offline", "--tracking-uri", away, storage=storage)
    told = "Offline. To send it to MLflow:  "
    command = next(line.removeprefix(told) for line in ran.stdout.splitlines() if line.startswith(told))
    selected = ["--storage", str(storage), *toy[2:], "--toy"]
    program, *arguments = shlex.split(command)
    assert Path(program).name == "ablate"
    assert arguments == ["sync", "quickstart", *selected, "--tracking-uri", away]
    client = MlflowClient(uri)
    histories = []
    for _ in range(2):
        sent = ablate("sync", *toy, "--tracking-uri", uri, "--register-best", "toy", storage=storage, cwd=tmp_path)
        assert "toy@best is version 1" in sent.stdout
        experiment = client.get_experiment_by_name("quickstart-toy").experiment_id
        runs = client.search_runs([experiment], "tags.`ablate.kind` = 'trial'")
        metrics = {name for run in runs for name in run.data.metrics}
        histories.append(
            {
                (run.info.run_name, name): [point.step for point in client.get_metric_history(run.info.run_id, name)]
                for run in runs
                for name in metrics
            }
        )
        assert [run.info.status for run in runs] == ["FINISHED", "FINISHED"]
    assert histories[0] == histories[1]
    assert {"train/loss", "eval/mean", "cost/queue_wait_s", "system/node_0/cpu_percent"} <= metrics
    assert all(use.dataset.digest for run in runs for use in run.inputs.dataset_inputs)
