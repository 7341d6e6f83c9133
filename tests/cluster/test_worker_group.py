"""Claims about cluster/worker_group.py without a cluster; tests/cluster/test_launchers.py runs groups of workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import get_args

import pytest
from ray.core.generated.common_pb2 import ActorDiedErrorContext, NodeDeathInfo
from ray.exceptions import ActorDiedError, RayActorError

from cluster.worker_group import Ask, WorkerGroup
from cluster.worker_info import WorkerInfo
from search_spaces.outcomes import FailureKind, UnitDone
from search_spaces.worker_contract import Advanced, Failed, Opened

TIMEOUT_S = 5.0
ADVANCED = Advanced(UnitDone("n1", "align", 1, 9), 1, 1.0)
WORKERS = [WorkerInfo("node", "host", "127.0.0.1", 4711 + rank, 0.0) for rank in range(2)]


@dataclass
class Node:
    """Stands for a node of the cluster with its kernel, and for Ray's calls of its actors."""

    kills: int = 0
    dead: set[int] = field(default_factory=set)
    death: Exception = field(default_factory=RayActorError)
    failed: dict[int, Failed] = field(default_factory=dict)
    """Rank -> what its `advance` answers."""

    def ask(self, rank: int) -> Ask:
        answers: dict[str, Callable[..., object]] = {
            "info": lambda interface: WORKERS[rank],
            "open": lambda task: Opened(),
            "advance": lambda units: self.failed.get(rank, ADVANCED),
            "oom_kills": lambda: self.kills,
        }
        return lambda method, *arguments: Call(self, rank, lambda: answers[method](*arguments))


@dataclass(frozen=True, eq=False)
class Call:
    node: Node
    rank: int
    answer: Callable[[], object]

    def result(self) -> object:
        if self.rank in self.node.dead:
            raise self.node.death
        return self.answer()


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    node = Node()
    monkeypatch.setattr("cluster.worker_group.ray.wait", lambda calls, num_returns, timeout: (calls[:1], calls[1:]))
    monkeypatch.setattr("cluster.worker_group.ray.get", Call.result)
    monkeypatch.setattr("cluster.process.ask_node", lambda function, node_id, timeout_s: node.kills)
    return node


def opened_group(node: Node) -> WorkerGroup:
    """Open a trial in a group of two workers on a node."""
    group = WorkerGroup([node.ask(rank) for rank in range(2)], lambda: None)
    assert group.locate(TIMEOUT_S) is None
    assert group.open("task", TIMEOUT_S) == Opened()
    return group


def test_a_kill_that_the_group_outlived_is_not_blamed_for_a_rank_that_is_lost_later(node: Node) -> None:
    group = opened_group(node)
    node.kills += 1  # of another process of the node
    assert group.advance(1, TIMEOUT_S) == ADVANCED
    node.dead.add(1)
    failed = group.advance(1, TIMEOUT_S)
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.rank) == ("lost", 1)


def test_a_kill_since_the_last_answer_is_why_a_rank_is_gone(node: Node) -> None:
    group = opened_group(node)
    assert group.advance(1, TIMEOUT_S) == ADVANCED
    node.kills += 1
    node.dead.add(1)
    failed = group.advance(1, TIMEOUT_S)
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.rank) == ("memory", 1)


def test_a_rank_whose_node_was_taken_away_after_a_notice_is_preempted_and_not_lost(node: Node) -> None:
    group = opened_group(node)
    info = NodeDeathInfo(reason=NodeDeathInfo.AUTOSCALER_DRAIN_PREEMPTED)
    node.death = ActorDiedError(ActorDiedErrorContext(actor_id=bytes(16), node_death_info=info))
    node.dead.add(1)
    failed = group.advance(1, TIMEOUT_S)
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.rank, failed.host) == ("preempted", 1, "host")


ORIGINAL = Failed("error", "OSError: [Errno 5] Input/output error: 'rank-1.pt'", traceback="state_damage")
CONSEQUENCE = Failed("error", "FailedPeerError: rank 1 has failed", traceback="_shared", is_consequence=True)


@pytest.mark.parametrize("kind", get_args(FailureKind))
def test_the_rank_that_has_failed_is_named_and_not_those_that_it_has_told(kind: FailureKind, node: Node) -> None:
    group = opened_group(node)
    node.failed = {0: replace(CONSEQUENCE, kind=kind), 1: ORIGINAL}
    failed = group.advance(1, TIMEOUT_S)
    assert isinstance(failed, Failed)
    assert (failed.rank, failed.message, failed.traceback) == (1, ORIGINAL.message, ORIGINAL.traceback)


def test_of_several_ranks_that_have_failed_by_themselves_the_first_is_named(node: Node) -> None:
    group = opened_group(node)
    node.failed = {0: ORIGINAL, 1: ORIGINAL}
    failed = group.advance(1, TIMEOUT_S)
    assert isinstance(failed, Failed)
    assert failed.rank == 0


def test_where_only_those_answer_that_another_rank_has_told_the_first_of_them_is_named(node: Node) -> None:
    group = opened_group(node)
    node.failed = {0: CONSEQUENCE, 1: CONSEQUENCE}
    failed = group.advance(1, TIMEOUT_S)
    assert isinstance(failed, Failed)
    assert (failed.rank, failed.message) == (0, CONSEQUENCE.message)
