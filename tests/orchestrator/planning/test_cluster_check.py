"""What a cluster cannot do is refused before any data are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rich.console import Console

from cluster.address import ClusterAddress
from cluster.fit import NodeResources
from measurements.large_storage import write_finished_study
from orchestrator.planning.planned import PlanOptions, RunOptions
from orchestrator.run_study import run_study
from search_spaces.errors import InputError
from tests.support.command_line import SMALL

ADDRESS = ClusterAddress("head:6379", "--address")
NODES = (NodeResources("1", 1, host="host-a"), NodeResources("2", 1, host="host-b"))


@pytest.fixture(autouse=True)
def _no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where data are read."""

    def preflight(*arguments: object) -> None:
        raise AssertionError("data are read")

    monkeypatch.setattr("orchestrator.run_study.preflight", preflight)


def options_of(storage: Path, **options: str) -> RunOptions:
    return RunOptions(PlanOptions(storage, storage / "sources"), offline=True, cpus=1, **options)  # type: ignore[arg-type]


def run(folder: Path, resources: str, **options: str) -> None:
    file = folder / "study.yaml"
    file.write_text(f"{SMALL}resources: {resources}\n")
    run_study(str(file), options_of(folder / "storage", **options), Console(quiet=True))


def test_a_trial_that_does_not_fit_into_this_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="every trial must fit into the cluster, but base asks for 2 workers"):
        run(tmp_path, "{workers: 2}")


def test_inside_one_machine_an_interface_is_not_needed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="data are read"):
        run(tmp_path, "{interface: eth99}")


def test_what_is_done_need_not_fit(tmp_path: Path) -> None:
    file, storage = tmp_path / "study.yaml", tmp_path / "storage"
    file.write_text(SMALL)
    write_finished_study(file, storage, storage / "sources")
    with pytest.raises(AssertionError, match="data are read"):
        run(tmp_path, "{workers: 2}")


@dataclass
class Cluster:
    """A running cluster of two nodes; what is done with it is kept."""

    attached: int = 0
    asked: list[object] = field(default_factory=list)

    @contextmanager
    def connect(self, cluster: ClusterAddress) -> Iterator[tuple[NodeResources, ...]]:
        assert cluster == ADDRESS
        self.attached += 1
        yield NODES

    def require_nodes(self, nodes: object, store: object, interface: str | None) -> None:
        self.asked.append((nodes, interface))


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    cluster = Cluster()
    monkeypatch.setattr("cluster.connect.connect", cluster.connect)
    monkeypatch.setattr("orchestrator.run_study.find_cluster", lambda flag: ADDRESS)
    monkeypatch.setattr("orchestrator.planning.cluster_check.require_nodes", cluster.require_nodes)
    return cluster


def test_nodes_of_a_running_cluster_are_asked_before_data_are_read(tmp_path: Path, running: Cluster) -> None:
    with pytest.raises(InputError, match="asks for 4 workers x 1 CPU, but the cluster has 2 nodes: 1 CPU, 1 CPU"):
        run(tmp_path, "{workers: 4, interface: ib0}")
    assert running.asked == [(NODES, "ib0")]


def test_trials_of_one_worker_need_no_interface(tmp_path: Path, running: Cluster) -> None:
    with pytest.raises(AssertionError, match="data are read"):
        run(tmp_path, "{interface: ib0}")
    assert running.asked == [(NODES, None)]


def test_a_study_that_is_done_asks_no_cluster(tmp_path: Path, running: Cluster) -> None:
    file, storage = tmp_path / "study.yaml", tmp_path / "storage"
    file.write_text(SMALL)
    write_finished_study(file, storage, storage / "sources")
    with pytest.raises(AssertionError, match="data are read"):
        run(tmp_path, "{workers: 4}")
    assert running.attached == 0
