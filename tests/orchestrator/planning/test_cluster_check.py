"""What a cluster cannot do is refused before any data are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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


def test_an_interface_that_this_machine_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no eth99"):
        run(tmp_path, "{interface: eth99}")
    with pytest.raises(InputError, match="has no eth98"):
        run(tmp_path, "{interface: eth99}", interface="eth98")


def test_what_is_done_need_not_fit(tmp_path: Path) -> None:
    file, storage = tmp_path / "study.yaml", tmp_path / "storage"
    file.write_text(SMALL)
    write_finished_study(file, storage, storage / "sources")
    with pytest.raises(AssertionError, match="data are read"):
        run(tmp_path, "{workers: 2}")


def test_nodes_of_a_running_cluster_are_asked_before_data_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = (NodeResources("1", 1, host="host-a"), NodeResources("2", 1, host="host-b"))
    address, asked = ClusterAddress("head:6379", "--address"), list[object]()

    @contextmanager
    def connect(cluster: ClusterAddress) -> Iterator[tuple[NodeResources, ...]]:
        assert cluster == address
        yield nodes

    monkeypatch.setattr("cluster.connect.connect", connect)
    monkeypatch.setattr("orchestrator.run_study.find_cluster", lambda flag: address)
    monkeypatch.setattr("orchestrator.planning.cluster_check.require_nodes", lambda *given: asked.append(given[0]))
    with pytest.raises(InputError, match="asks for 4 workers x 1 CPU, but the cluster has 2 nodes: 1 CPU, 1 CPU"):
        run(tmp_path, "{workers: 4}")
    assert asked == [nodes]
