"""Nodes that do not see the storage, or lack a network interface, are named by host, and get no trial."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import node_checks
from cluster.connect import connect
from cluster.fit import NodeResources
from cluster.node_checks import AdmittedNodes, NodeAnswer, ask_nodes, require_nodes
from search_spaces.errors import InputError
from trainables.storage.store import LocalStore

FIRST = NodeResources("1" * 56, 2, 0, "host-a")
SECOND = NodeResources("2" * 56, 2, 0, "host-b")


def answer_with(monkeypatch: pytest.MonkeyPatch, **answers: NodeAnswer) -> list[str]:
    """Stand in for the nodes of a cluster, by host; those that are not given are fit. Returns who is asked."""
    asked: list[str] = []

    def call_on_node(function: object, node_id: str, file: str, interface: str | None) -> NodeAnswer:
        host = FIRST.host if node_id == FIRST.name else SECOND.host
        asked.append(host)
        return answers.get(host.replace("-", "_"), NodeAnswer(sees_storage=Path(file).exists()))

    monkeypatch.setattr(node_checks, "call_on_node", call_on_node)
    monkeypatch.setattr(node_checks, "_answer", lambda answer, seconds: answer)
    monkeypatch.setattr("ray.wait", lambda calls, timeout: (calls, []))
    return asked


def test_one_node_is_not_asked_for_the_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer_with(monkeypatch)
    require_nodes([FIRST], LocalStore(tmp_path), None)
    assert not asked
    assert not list(tmp_path.iterdir())


def test_nodes_that_do_not_see_the_storage_are_named_by_host_and_the_probe_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with(monkeypatch, host_b=NodeAnswer(sees_storage=False))
    with pytest.raises(InputError, match="1 of 2 do not: host-b"):
        require_nodes([FIRST, SECOND], LocalStore(tmp_path), None)
    assert LocalStore(tmp_path).list("scratch") == []


def test_all_that_is_wrong_with_the_nodes_comes_at_once(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(
        monkeypatch,
        host_a=NodeAnswer(silence="does not answer within 120 s"),
        host_b=NodeAnswer(sees_storage=False, lacks="ib0 (it has lo (127.0.0.1))"),
    )
    with pytest.raises(InputError) as refused:
        require_nodes([FIRST, SECOND], store, "ib0")
    assert "host-a does not answer" in str(refused.value)
    assert "do not: host-b" in str(refused.value)
    assert "host-b has no ib0 (it has lo (127.0.0.1))" in str(refused.value)


def test_a_node_that_joins_is_used_once_it_has_answered(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch)
    nodes, told = [FIRST], list[str]()
    admitted = AdmittedNodes(nodes, lambda: nodes, store, None, told.append)
    assert (admitted(), admitted.kept_out) == ((FIRST,), ())
    nodes.append(SECOND)
    assert (admitted(), admitted.kept_out) == ((FIRST,), (SECOND.name,))
    assert (admitted(), admitted.kept_out) == ((FIRST, SECOND), ())
    assert told == ["host-b has joined the cluster with 2 CPU"]
    assert store.list("scratch") == []


def test_a_node_that_joins_without_the_storage_gets_nothing_and_is_named_once(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with(monkeypatch, host_b=NodeAnswer(sees_storage=False))
    nodes, told = [FIRST, SECOND], list[str]()
    admitted = AdmittedNodes([FIRST], lambda: nodes, store, None, told.append)
    for _ in range(3):
        assert (admitted(), admitted.kept_out) == ((FIRST,), (SECOND.name,))
    assert told == ["host-b has joined the cluster, but nothing is placed there: it does not see the storage"]


def test_a_node_that_goes_before_it_has_answered_leaves_nothing(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with(monkeypatch)
    nodes = [FIRST, SECOND]
    admitted = AdmittedNodes([FIRST], lambda: nodes, store, None, lambda sentence: None)
    admitted()
    nodes.remove(SECOND)
    assert (admitted(), admitted.kept_out) == ((FIRST,), ())
    assert store.list("scratch") == []


@pytest.mark.ray
def test_a_real_node_answers_what_it_sees_and_has(store: LocalStore) -> None:
    with connect(cpus=1) as nodes:
        assert ask_nodes(nodes, store, "lo") == [NodeAnswer()]
        (answer,) = ask_nodes(nodes, store, "eth99")
        assert answer.sees_storage
        assert str(answer.problem()).startswith("has no network interface eth99 (it has ")
        with pytest.raises(InputError, match=rf"{nodes[0].host} has no eth99"):
            require_nodes(nodes, store, "eth99")
