"""Check that every node can work for a run: it has the storage, network interface and weights. Also nodes that join.

A trial on a node that does not see the storage would be lost, and one without its weights fails after minutes. Ray's
autoscaler and people add nodes while a study runs, so each is asked before anything is placed on it.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from cluster.fit import NodeResources, describe
from cluster.interfaces import described, host_interfaces, missing_interfaces
from cluster.launcher import ResourceRequest
from cluster.process import call_on_node
from search_spaces.error_text import first_line
from search_spaces.errors import InputError, Problems

ANSWER_WITHIN_S = 120.0
"""A node may have to start its first worker process to answer."""

ASK_AGAIN_S = 300.0
"""Seconds after which a node that was found unfit is asked again: its storage may have been mounted since."""

STORAGE_WAY_OUT = "Give a folder on a shared file system with --storage or ABLATE_STORAGE."
INTERFACE_WAY_OUT = (
    "Give names that every host has with --interface or `resources: {interface: NAME}`, or leave it out."
)


class Probed(Protocol):
    """The part of a store that is needed: write a file, know where it can be read, remove it."""

    def put(self, name: str, data: bytes) -> None: ...
    def reading(self, name: str) -> Path: ...
    def place(self, name: str) -> str: ...
    def remove(self, name: str) -> None: ...


class FoundOnNode(Protocol):
    """What a node has for the trials that fit there."""

    @property
    def lacking(self) -> tuple[str, ...]:
        """Name the checkpoints that it lacks, each with a way out."""

    @property
    def fetched(self) -> tuple[str, ...]:
        """Name the checkpoints that it has not and fetches when a trial needs them."""

    @property
    def troubles(self) -> tuple[str, ...]:
        """Say what else trials may suffer from there, a sentence each; the node is used nevertheless."""


LookOnNode = Callable[[], FoundOnNode]
"""Looks for what trials need on the node that it is called on. It travels there, so it must be importable there."""

LookFor = Callable[[NodeResources], LookOnNode | None]
"""Makes what looks for that which trials need on a node; None for a node that needs nothing."""


@dataclass(frozen=True)
class NodeAnswer:
    """What a node has said of itself."""

    sees_storage: bool = True
    lacks: str | None = None
    """Interfaces that it has not, and those that it has."""
    lacks_weights: tuple[str, ...] = ()
    """Checkpoints that it has not, each with a way out."""
    fetches: tuple[str, ...] = ()
    """Checkpoints that it has not, and fetches when a trial needs them."""
    troubles: tuple[str, ...] = ()
    """What else trials may suffer from there."""
    silence: str | None = None
    """Why it has said nothing, to complete "it ..."."""

    def problem(self) -> str | None:
        """Say what is wrong with the node, to complete "it ..."; None if nothing is."""
        if self.silence is not None:
            return self.silence
        told = [] if self.sees_storage else ["does not see the storage"]
        told += [f"has no network interface {self.lacks}"] if self.lacks else []
        told += [self.weights_problem()] if self.lacks_weights else []
        return " and ".join(told) or None

    def weights_problem(self) -> str:
        """Say which weights the node lacks, to complete "it ..."."""
        return f"lacks the weights {', '.join(self.lacks_weights)}"


def look(file: str, interface: str | None, look_further: LookOnNode | None = None) -> NodeAnswer:
    """Look, on the node that is asked, for a file of the storage, for network interfaces and for what trials need.

    Args:
        file: that every node must see.
        interface: names separated by commas; None for none in particular.
        look_further: looks for weights and other needs of trials there; None where they have none.
    """
    answer = NodeAnswer(os.path.exists(file), lacking(interface))
    if look_further is None:
        return answer
    found = look_further()
    return replace(answer, lacks_weights=found.lacking, fetches=found.fetched, troubles=found.troubles)


def lacking(interface: str | None) -> str | None:
    """Say which of some interfaces this host has not, and which it has; None if it has all of them.

    Args:
        interface: names separated by commas; None for none in particular.
    """
    own = host_interfaces()
    missing = missing_interfaces(interface, own)
    return f"{', '.join(missing)} (it has {described(own)})" if missing else None


def needed_interface(interface: str | None, requests: Iterable[ResourceRequest]) -> str | None:
    """Return the interface that nodes must have for some trials; None if no trial has workers that could be apart."""
    return interface if any(request.workers > 1 for request in requests) else None


def require_nodes(
    nodes: Sequence[NodeResources],
    store: Probed,
    interface: str | None,
    look_for: LookFor | None = None,
    tell: Callable[[str], None] = lambda sentence: None,
) -> dict[str, str]:
    """Ask every node whether it sees the storage, has the interface, and has the weights that trials need there.

    Workers of one node meet on loopback, and none is placed on a node without CPUs: the interface is asked of those
    with CPUs, if there are two or more. One node alone is asked for what trials need only.

    Args:
        nodes: of the connected cluster.
        store: a file is written there for the nodes to see, and removed.
        interface: names separated by commas; None for none in particular.
        look_for: makes the question for weights and GPUs; None where none need be asked for.
        tell: shows people which nodes are kept out for want of weights, which fetch weights, and what GPUs lack.

    Raises:
        InputError: naming the hosts of the nodes that do not see the storage, or lack the interface.

    Returns:
        Nodes that lack weights, by Ray's id, with what is wrong, to complete "it ...".
    """
    if len(nodes) < 2 and (look_for is None or not any(map(look_for, nodes))):
        return {}
    answers = dict(zip(nodes, ask_nodes(nodes, store, interface, look_for), strict=True))
    problems, count = Problems(), len(nodes)
    silent = [f"{node.host} {answer.silence}" for node, answer in answers.items() if answer.silence]
    if silent:
        law = f"every node must answer, but {'; '.join(silent)}"
        problems.add(InputError(law, way_out="Has it this project's environment? Does `ray status` show it?"))
    blind = [node.host for node, answer in answers.items() if not answer.sees_storage]
    if blind:
        law = f"every node must see the storage, but {len(blind)} of {count} do not: {', '.join(blind)}"
        problems.add(InputError(law, place=store.place("."), way_out=STORAGE_WAY_OUT))
    lacks = [f"{node.host} has no {answer.lacks}" for node, answer in answers.items() if answer.lacks]
    if lacks:
        law = f"every node must have the network interface, but {'; '.join(lacks)}"
        problems.add(InputError(law, key="--interface", way_out=INTERFACE_WAY_OUT))
    problems.raise_all()
    for troubles, hosts in _hosts_by(answers, lambda answer: answer.troubles).items():
        for trouble in troubles:
            tell(f"{', '.join(hosts)}: {trouble}")
    for origins, hosts in _hosts_by(answers, lambda answer: () if answer.lacks_weights else answer.fetches).items():
        tell(_fetch_sentence(hosts, origins))
    for lacking_there, hosts in _hosts_by(answers, lambda answer: answer.lacks_weights).items():
        tell(f"nothing is placed on {', '.join(hosts)} for want of the weights {', '.join(lacking_there)}")
    return {node.name: answer.weights_problem() for node, answer in answers.items() if answer.lacks_weights}


def _hosts_by(
    answers: Mapping[NodeResources, NodeAnswer], named: Callable[[NodeAnswer], tuple[str, ...]]
) -> dict[tuple[str, ...], list[str]]:
    """Group the hosts of nodes by what their answers name; those that name nothing are left out."""
    hosts: dict[tuple[str, ...], list[str]] = {}
    for node, answer in answers.items():
        if named(answer):
            hosts.setdefault(named(answer), []).append(node.host)
    return hosts


def _fetch_sentence(hosts: Sequence[str], origins: Sequence[str]) -> str:
    """Say which weights are fetched where; whether the hub gives them is not tried."""
    return f"{', '.join(origins)}: fetched from the hub by the first trial that needs it on {', '.join(hosts)}"


def ask_nodes(
    nodes: Sequence[NodeResources], store: Probed, interface: str | None, look_for: LookFor | None = None
) -> list[NodeAnswer]:
    """Ask nodes for what a run needs of them, and wait for all answers together; see `require_nodes`."""
    import ray

    several = sum(node.cpus > 0 for node in nodes) > 1
    name, file = _put_probe(store)
    try:
        calls = [_ask(node, file, interface if several else None, look_for) for node in nodes]
        ray.wait(calls, num_returns=len(calls), timeout=ANSWER_WITHIN_S)
        return [_answer(call) for call in calls]
    finally:
        store.remove(name)


def _put_probe(store: Probed) -> tuple[str, str]:
    """Write a file for nodes to see. Returns its name on the storage, and its path."""
    name = f"scratch/probe-{secrets.token_hex(4)}"
    store.put(name, b"seen")
    return name, str(store.reading(name))


def _ask(node: NodeResources, file: str, interface: str | None, look_for: LookFor | None) -> Any:
    """Ask a node for the file, its weights and, if it has CPUs, the interface. Returns a reference to the answer."""
    look_further = None if look_for is None else look_for(node)
    return call_on_node(look, node.name, file, interface if node.cpus > 0 else None, look_further)


def _answer(call: Any) -> NodeAnswer:
    """Fetch the answer of a node if it is there; what it cannot do, such as import this project, is its silence."""
    import ray
    from ray.exceptions import GetTimeoutError, RayError, RayTaskError

    try:
        answer: NodeAnswer = ray.get(call, timeout=0)
    except GetTimeoutError:
        return NodeAnswer(silence=f"does not answer within {ANSWER_WITHIN_S:.0f} s")
    except RayTaskError as error:
        return NodeAnswer(silence=f"cannot run this program: {first_line(error.cause or error)}")
    except RayError as error:
        return NodeAnswer(silence=f"cannot be asked: {first_line(error)}")
    return answer


@dataclass(frozen=True)
class _Question:
    """A node that was asked and has not been judged."""

    call: Any
    probe: str
    """Name of the file that it is to see."""
    asked_s: float


class AdmittedNodes:
    """The nodes of a cluster that were asked and found fit. Those that join later are asked without waiting for them.

    Any thread may call it. A node that is unfit is asked again now and then.

    Args:
        checked: nodes that were asked already.
        list_nodes: lists the nodes of the cluster.
        store: that every node must see.
        interface: that every node must have, names separated by commas; None for none in particular.
        tell: shows a sentence to people.
        clock: tells the time in seconds.
        look_for: makes the question for weights and GPUs; None where none need be asked for.
        unfit: nodes that were asked and found unfit, by Ray's id, with what people were told.
    """

    def __init__(
        self,
        checked: Sequence[NodeResources],
        list_nodes: Callable[[], Sequence[NodeResources]],
        store: Probed,
        interface: str | None,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        look_for: LookFor | None = None,
        unfit: Mapping[str, str] | None = None,
    ):
        self._list_nodes, self._store, self._interface, self._tell = list_nodes, store, interface, tell
        self._clock, self._look_for = clock, look_for
        self._lock = threading.Lock()
        self._closed = False
        self._fit = {node.name for node in checked}
        self._asked: dict[str, _Question] = {}
        self._ask_again_s = dict.fromkeys(unfit or {}, clock() + ASK_AGAIN_S)
        """Node that was found unfit -> when it is asked again."""
        self._told = dict(unfit or {})
        """Node -> what people were told is wrong with it."""
        self._ids = tuple(sorted(self._fit))

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the nodes on which something may be placed, by the last listing that had any."""
        return self._ids

    def __call__(self) -> tuple[NodeResources, ...]:
        """List the nodes that are fit; those that are new are asked, and those that have answered are judged."""
        with self._lock:
            nodes = tuple(self._list_nodes())
            there = {node.name: node for node in nodes}
            for gone in self._asked.keys() - there.keys():
                self._store.remove(self._asked.pop(gone).probe)
            for node in nodes:
                if node.name in self._asked:
                    self._judge(node)
                elif node.name not in self._fit and self._clock() >= self._ask_again_s.get(node.name, 0.0):
                    self._ask(node)
            self._ids = tuple(sorted(there.keys() & self._fit)) or self._ids
            return tuple(node for node in nodes if node.name in self._fit)

    def close(self) -> None:
        """Ask no more, and remove the files that nodes without an answer were to see."""
        with self._lock:
            self._closed = True
            for question in self._asked.values():
                with suppress(OSError):  # a run ends also where its storage is away
                    self._store.remove(question.probe)
            self._asked.clear()

    def _ask(self, node: NodeResources) -> None:
        if not self._closed:
            name, file = _put_probe(self._store)
            call = _ask(node, file, self._interface, self._look_for)
            self._asked[node.name] = _Question(call, name, self._clock())

    def _judge(self, node: NodeResources) -> None:
        import ray

        question = self._asked[node.name]
        if not ray.wait([question.call], timeout=0)[0]:
            if self._clock() - question.asked_s >= ANSWER_WITHIN_S:  # it is waited for still
                self._refuse(node, f"does not answer within {ANSWER_WITHIN_S:.0f} s")
            return
        del self._asked[node.name]
        self._store.remove(question.probe)
        answer = _answer(question.call)
        problem = answer.problem()
        if problem is None:
            self._fit.add(node.name)
            self._tell(f"{node.host} has joined the cluster with {describe([node])}")
            for trouble in answer.troubles:
                self._tell(f"{node.host}: {trouble}")
            if answer.fetches:
                self._tell(_fetch_sentence([node.host], answer.fetches))
        else:
            self._ask_again_s[node.name] = self._clock() + ASK_AGAIN_S
            self._refuse(node, problem)

    def _refuse(self, node: NodeResources, problem: str) -> None:
        """Tell people once that a node is not used, and why."""
        if self._told.get(node.name) != problem:
            self._told[node.name] = problem
            self._tell(f"{node.host} has joined the cluster, but nothing is placed there: it {problem}")
