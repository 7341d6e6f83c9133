"""Nodes that do not see the storage, or lack an interface or weights, are named by host, and get no trial."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from ray.exceptions import GetTimeoutError

from cluster import node_checks
from cluster.connect import connect
from cluster.fit import NodeResources
from cluster.launcher import ResourceRequest
from cluster.node_checks import (
    ANSWER_WITHIN_S,
    ASK_AGAIN_S,
    AdmittedNodes,
    NodeAnswer,
    ask_nodes,
    needed_interface,
    require_nodes,
)
from orchestrator.doctor.node_look import look_there
from search_spaces.errors import InputError
from trainables.model.weights_on_node import ExpectedWeights
from trainables.storage.store import LocalStore

FIRST = NodeResources("1" * 56, 2, 0, "host-a")
SECOND = NodeResources("2" * 56, 2, 0, "host-b")


def answer_with(monkeypatch: pytest.MonkeyPatch, **answers: NodeAnswer) -> list[str]:
    """Stand in for the nodes of a cluster, by host; those not given are fit. Returns who is asked for what."""
    asked: list[str] = []

    def call_on_node(function: object, node_id: str, file: str, interface: str | None, weights: object) -> NodeAnswer:
        host = FIRST.host if node_id == FIRST.name else SECOND.host
        asked.append(f"{host} {interface}" if interface else host)
        return answers.get(host.replace("-", "_"), NodeAnswer(sees_storage=Path(file).exists()))

    monkeypatch.setattr(node_checks, "call_on_node", call_on_node)
    monkeypatch.setattr("ray.get", lambda answer, timeout: answer)
    monkeypatch.setattr("ray.wait", lambda calls, timeout, num_returns=1: (calls, []))
    return asked


def test_one_node_is_asked_neither_for_the_storage_nor_for_an_interface(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer_with(monkeypatch)
    require_nodes([FIRST], LocalStore(tmp_path), "ib0")
    assert not asked
    assert not list(tmp_path.iterdir())


def test_an_interface_is_asked_of_nodes_on_which_workers_may_be_placed_if_there_are_two(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer_with(monkeypatch)
    third = NodeResources("3" * 56, 2, 0, "host-b")
    require_nodes([replace(FIRST, cpus=0), SECOND], store, "ib0")
    require_nodes([replace(FIRST, cpus=0), SECOND, third], store, "ib0")
    assert asked == ["host-a", "host-b", "host-a", "host-b ib0", "host-b ib0"]


def test_an_interface_is_needed_where_a_trial_has_several_workers() -> None:
    one, two = ResourceRequest(), ResourceRequest(workers=2)
    assert needed_interface("ib0", [one]) is None
    assert needed_interface("ib0", [one, two]) == "ib0"
    assert needed_interface(None, [two]) is None


def test_silent_nodes_are_waited_for_together(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch)
    waited_s = list[float]()

    def wait(calls: list[object], timeout: float, num_returns: int) -> tuple[list[object], list[object]]:
        waited_s.append(timeout)
        return [], calls

    def get(call: object, timeout: float) -> None:
        waited_s.append(timeout)
        raise GetTimeoutError

    monkeypatch.setattr("ray.wait", wait)
    monkeypatch.setattr("ray.get", get)
    assert ask_nodes([FIRST, SECOND] * 50, store, None) == [NodeAnswer(silence="does not answer within 120 s")] * 100
    assert sum(waited_s) == ANSWER_WITHIN_S


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


def test_nodes_without_weights_are_returned_and_those_alike_are_named_together(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with(
        monkeypatch,
        host_a=NodeAnswer(fetches=("hub:a/b@main",), troubles=("no room.",)),
        host_b=NodeAnswer(lacks_weights=("path:x",)),
    )
    told = list[str]()
    nodes = [FIRST, SECOND, replace(SECOND, name="3" * 56)]
    unfit = require_nodes(nodes, store, None, lambda node: None, told.append)
    assert unfit == {node.name: "lacks the weights path:x" for node in nodes[1:]}
    assert told == [
        "host-a: no room.",
        "hub:a/b@main: fetched from the hub by the first trial that needs it on host-a",
        "nothing is placed on host-b, host-b for want of the weights path:x",
    ]


def test_a_node_that_joins_is_asked_for_weights_and_one_that_lacked_them_is_asked_later(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer_with(monkeypatch, host_b=NodeAnswer(lacks_weights=("path:x (there is nothing; copy it)",)))
    now_s, told, needed = [0.0], list[str](), list[NodeResources]()
    joins = AdmittedNodes(
        [FIRST], lambda: [FIRST, SECOND], store, None, told.append, lambda: now_s[0], look_for=needed.append
    )
    assert [joins(), joins()] == [(FIRST,), (FIRST,)]
    said = "it lacks the weights path:x (there is nothing; copy it)"
    assert told == [f"host-b has joined the cluster, but nothing is placed there: {said}"]
    assert needed == [SECOND]
    asked = answer_with(monkeypatch, host_b=NodeAnswer(fetches=("hub:a/b@main",), troubles=("no room.",)))
    unfit = {SECOND.name: "lacks the weights path:x"}
    later = AdmittedNodes([FIRST], lambda: [FIRST, SECOND], store, None, told.append, lambda: now_s[0], unfit=unfit)
    assert later() == (FIRST,)
    assert asked == []
    now_s[0] = ASK_AGAIN_S
    assert [later(), later()] == [(FIRST,), (FIRST, SECOND)]
    assert told[1:] == [
        "host-b has joined the cluster with 2 CPU",
        "host-b: no room.",
        "hub:a/b@main: fetched from the hub by the first trial that needs it on host-b",
    ]


def test_a_node_that_joins_is_used_once_it_has_answered(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch)
    nodes, told = [FIRST], list[str]()
    admitted = AdmittedNodes(nodes, lambda: nodes, store, None, told.append)
    assert (admitted(), admitted.ids) == ((FIRST,), (FIRST.name,))
    nodes.append(SECOND)
    assert (admitted(), admitted.ids) == ((FIRST,), (FIRST.name,))
    assert (admitted(), admitted.ids) == ((FIRST, SECOND), (FIRST.name, SECOND.name))
    assert told == ["host-b has joined the cluster with 2 CPU"]
    assert store.list("scratch") == []


def test_a_node_that_joins_without_the_storage_gets_nothing_and_is_named_once(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with(monkeypatch, host_b=NodeAnswer(sees_storage=False))
    nodes, told = [FIRST, SECOND], list[str]()
    admitted = AdmittedNodes([FIRST], lambda: nodes, store, None, told.append)
    for _ in range(3):
        assert (admitted(), admitted.ids) == ((FIRST,), (FIRST.name,))
    assert told == ["host-b has joined the cluster, but nothing is placed there: it does not see the storage"]


def test_where_no_node_is_left_those_that_were_there_stay_the_only_ones_for_trials(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with(monkeypatch)
    nodes = [FIRST]
    admitted = AdmittedNodes(nodes, lambda: nodes, store, None, lambda sentence: None)
    nodes[:] = [SECOND]
    assert (admitted(), admitted.ids) == ((), (FIRST.name,))
    assert (admitted(), admitted.ids) == ((SECOND,), (SECOND.name,))


def test_a_node_that_goes_before_it_has_answered_leaves_nothing(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with(monkeypatch)
    nodes = [FIRST, SECOND]
    admitted = AdmittedNodes([FIRST], lambda: nodes, store, None, lambda sentence: None)
    admitted()
    nodes.remove(SECOND)
    assert (admitted(), admitted.ids) == ((FIRST,), (FIRST.name,))
    assert store.list("scratch") == []


def test_a_node_that_was_unfit_is_asked_again_with_a_new_file_and_used_once_it_is_fit(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"host_b": NodeAnswer(silence="cannot be asked: its worker died")}
    answer_with(monkeypatch, **answers)
    now_s, told = [0.0], list[str]()
    admitted = AdmittedNodes([FIRST], lambda: [FIRST, SECOND], store, None, told.append, lambda: now_s[0])
    for now_s[0] in (0.0, 1.0, ASK_AGAIN_S, ASK_AGAIN_S + 2, ASK_AGAIN_S + 3):
        assert admitted() == (FIRST,)
    assert told == ["host-b has joined the cluster, but nothing is placed there: it cannot be asked: its worker died"]
    asked = answer_with(monkeypatch)
    for now_s[0] in (ASK_AGAIN_S + 4, 3 * ASK_AGAIN_S, 3 * ASK_AGAIN_S + 1):
        nodes = admitted()
    assert nodes == (FIRST, SECOND)
    assert asked == ["host-b"]
    assert told[1:] == ["host-b has joined the cluster with 2 CPU"]
    assert store.list("scratch") == []


def test_a_node_that_never_answers_is_named_once_and_its_file_is_removed_in_the_end(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer_with(monkeypatch)
    monkeypatch.setattr("ray.wait", lambda calls, timeout: ([], calls))
    now_s, told = [0.0], list[str]()
    admitted = AdmittedNodes([FIRST], lambda: [FIRST, SECOND], store, None, told.append, lambda: now_s[0])
    for now_s[0] in (0.0, ANSWER_WITHIN_S - 1, ANSWER_WITHIN_S, ANSWER_WITHIN_S + 1):
        assert admitted() == (FIRST,)
    assert told == ["host-b has joined the cluster, but nothing is placed there: it does not answer within 120 s"]
    assert len(store.list("scratch")) == 1
    admitted.close()
    assert admitted() == (FIRST,)
    assert store.list("scratch") == []
    assert asked == ["host-b"]


def test_two_threads_that_list_nodes_ask_each_once(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both list the nodes before either asks, unless one waits for the other."""
    asked, both = answer_with(monkeypatch), threading.Barrier(2)

    def list_nodes() -> list[NodeResources]:
        with suppress(threading.BrokenBarrierError):
            both.wait(timeout=0.2)
        return [FIRST, SECOND]

    admitted = AdmittedNodes([FIRST], list_nodes, store, None, lambda sentence: None)
    threads = [threading.Thread(target=admitted) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == ["host-b"]
    assert store.list("scratch") == []


@pytest.mark.ray
def test_a_real_node_answers_what_it_sees_and_has(store: LocalStore) -> None:
    with connect(cpus=1) as nodes:
        assert ask_nodes(2 * nodes, store, "lo") == 2 * [NodeAnswer()]
        answer, _ = ask_nodes(2 * nodes, store, "eth99")
        assert answer.sees_storage
        assert str(answer.problem()).startswith("has no network interface eth99 (it has ")


@pytest.mark.ray
def test_a_real_node_answers_whether_it_has_the_weights(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "tower.pt").write_text("1234")
    alike, longer = (ExpectedWeights("path:tower.pt", {"tower.pt": size}) for size in (4, 5))
    with connect(cpus=1) as nodes:
        assert ask_nodes(nodes, store, None, lambda node: partial(look_there, [alike], tmp_path, [])) == [NodeAnswer()]
        (answer,) = ask_nodes(nodes, store, None, lambda node: partial(look_there, [longer], tmp_path, []))
    assert str(answer.problem()).startswith("lacks the weights path:tower.pt (tower.pt has 4 bytes, not 5; copy it to ")
