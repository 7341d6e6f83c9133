"""Nodes without the weights of trials that fit there are left out, and named before the first trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from cluster import node_checks
from cluster.address import ClusterAddress
from cluster.fit import NodeResources
from cluster.node_checks import NodeAnswer
from orchestrator.doctor.nodes_check import CheckedNodes, check_nodes
from orchestrator.planning.planned import PlanOptions, RunOptions
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from search_spaces.resource_spec import ResourceSpec
from tests.support.small_plans import small_plan
from tests.support.tiny_specs import vision
from trainables.model.weights_on_node import compare_weights
from trainables.storage.store import LocalStore

ADDRESS = ClusterAddress("head:6379", "--address")
FIRST, SECOND = NodeResources("1", 2, host="host-a"), NodeResources("2", 2, host="host-b")
ORIGINS = ("path:small", "path:large")


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Plan two arms, each with an encoder of its own; the weights are in the folder `data`."""
    plan = small_plan()
    for origin in ORIGINS:
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / origin.removeprefix("path:")).write_text("weights")
    trials = [
        replace(trial, spec=replace(trial.spec, vision=vision(weights="pretrained", checkpoint=origin)))
        for trial, origin in zip(plan.trials, ORIGINS, strict=True)
    ]
    return replace(plan, trials=tuple(trials))


class Cluster:
    """Nodes whose data folders are those of this machine, unless a node has a folder of its own."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        self.tmp_path, self.asked, self.told = tmp_path, list[str](), list[str]()
        self.folders: dict[str, str] = {}
        monkeypatch.setattr(node_checks, "call_on_node", self._call)
        monkeypatch.setattr("ray.get", lambda answer, timeout: answer)
        monkeypatch.setattr("ray.wait", lambda calls, timeout, num_returns=1: (calls, []))

    def _call(self, look: object, node_id: str, file: str, interface: str | None, weights: object) -> NodeAnswer:
        expected, _, on_gpus = getattr(weights, "args", ((), None, []))
        gpus = [f"{request.workers} on GPUs" for request in on_gpus]
        self.asked.append(f"{node_id}: {' '.join([each.origin for each in expected] + gpus)}")
        found = compare_weights(expected, self.tmp_path / self.folders.get(node_id, "data"))
        return NodeAnswer(lacks_weights=found.lacking, fetches=found.fetched)

    def check(
        self,
        plan: Plan,
        address: ClusterAddress | None = ADDRESS,
        nodes: tuple[NodeResources, ...] = (FIRST, SECOND),
        may_come: tuple[NodeResources, ...] = (),
    ) -> CheckedNodes:
        options = RunOptions(PlanOptions(self.tmp_path / "storage", self.tmp_path / "data"), may_come=may_come)
        store = LocalStore(self.tmp_path / "storage")
        return check_nodes(plan, nodes, store, None, address, options, self.told.append)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(tmp_path, monkeypatch)


def with_resources(plan: Plan, **resources: Mapping[str, object]) -> Plan:
    """Give arms, by the positions `first` and `second`, other resources."""
    both = [ResourceSpec.model_validate(resources.get(name, {})) for name in ("first", "second")]
    return replace(plan, arms=tuple(replace(arm, resources=each) for arm, each in zip(plan.arms, both, strict=True)))


def test_a_node_without_the_weights_is_left_out_and_named_with_the_checkpoint_and_a_way_out(
    plan: Plan, cluster: Cluster, tmp_path: Path
) -> None:
    cluster.folders["2"] = "none"
    checked = cluster.check(plan)
    assert checked.nodes == (FIRST,)
    assert cluster.asked == ["1: path:large path:small", "2: path:large path:small"]
    (sentence,) = cluster.told
    assert sentence.startswith("nothing is placed on host-b for want of the weights path:large (it is not there; ")
    assert "copy it to" in sentence
    admitted = checked.admitted(lambda: [FIRST, SECOND], LocalStore(tmp_path), cluster.told.append)
    assert admitted() == (FIRST,)
    assert len(cluster.told) == 1  # it is not asked again at once


def test_where_no_node_is_left_the_run_is_refused_unless_others_may_come(plan: Plan, cluster: Cluster) -> None:
    cluster.folders = {"1": "none", "2": "none"}
    with pytest.raises(InputError, match=r"on nodes that have its weights, but base .*want of the weights path:large"):
        cluster.check(plan)
    assert cluster.told == []
    assert cluster.check(plan, may_come=(FIRST, SECOND, replace(SECOND, name="3"))).nodes == ()


def test_a_node_is_asked_for_the_weights_of_trials_that_fit_there(plan: Plan, cluster: Cluster) -> None:
    plan = with_resources(plan, second={"cpus_per_worker": 4})
    large, head = NodeResources("3", 4, host="host-c"), NodeResources("4", 0, host="head")
    cluster.check(plan, nodes=(FIRST, large, head))
    assert cluster.asked == ["1: path:small", "3: path:large path:small", "4: "]


def test_one_node_of_a_running_cluster_is_asked_and_an_embedded_one_is_not(plan: Plan, cluster: Cluster) -> None:
    cluster.check(plan, nodes=(FIRST,))
    assert cluster.asked == ["1: path:large path:small"]
    cluster.check(plan, nodes=(FIRST,), address=None)
    assert len(cluster.asked) == 1


def test_without_pretrained_weights_nothing_is_asked_for(cluster: Cluster) -> None:
    assert cluster.check(small_plan(), nodes=(FIRST,)).look_for is None
    assert cluster.asked == []


def test_nodes_with_gpus_are_asked_about_them_where_trials_use_some(cluster: Cluster) -> None:
    plan = with_resources(small_plan(), first={"workers": 2, "gpus_per_worker": 1})
    cluster.check(plan, nodes=(replace(FIRST, gpus=2), SECOND))
    assert cluster.asked == ["1: 2 on GPUs", "2: "]
