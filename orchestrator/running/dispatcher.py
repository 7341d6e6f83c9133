"""Dispatch trials: take the schedule's choice, secure it by leases on storage, and have its task written.

Tune calls `next` ten times a second, so nothing is read until a trial is really dispatched. What other runs on the same
storage do is looked up by `poll_other_runs`, from a thread. All methods may be called from several threads.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, assert_never

from cluster.fit import NodeResources, at_once, fits_one_node, place
from cluster.launcher import ResourceRequest
from orchestrator.running.leases import Leases
from orchestrator.running.schedule import Finished, Schedule
from orchestrator.running.work import Work
from orchestrator.state.stored_nodes import kept_steps, read_node
from search_spaces.plan import Node
from trainables.storage import layout
from trainables.storage.store import Store

POLL_INTERVAL_S = 2.0
"""Seconds between two looks at storage for what other runs have finished or given up."""

MAX_ATTEMPTS = 16
"""Trials whose leases are tried in one call, while other runs hold them: a call must not keep Tune waiting."""

logger = logging.getLogger(__name__)


class Dispatcher:
    """Dispatches the trials of one run.

    Two more things are leased like nodes: a trial's own folder, and the evaluation of the model that its last stage
    trains. So two runs never work on one trial, and trials of several studies that share all stages do not answer the
    same questions twice.

    Args:
        work: the trials of this run, in plan order.
        nodes: id -> node of the work graph, for all nodes of their paths.
        done: ids of nodes whose results are known to be on storage.
        cluster_nodes: resources of the cluster's nodes.
        store: where results and leases are.
        study: its name, which is its folder on storage.
        needed: returns the ids of the features and stages that a trial's workers must produce, by what storage holds.
        prepare: called with the id of a trial that is about to be dispatched, and the nodes that it may produce.
        max_concurrent: most trials at a time; None for as many as the cluster has resources for.
        may_come: all nodes of the cluster when all have come; none where none come.
    """

    def __init__(
        self,
        work: Sequence[Work],
        nodes: Mapping[str, Node],
        done: Iterable[str],
        cluster_nodes: Sequence[NodeResources],
        store: Store,
        study: str,
        needed: Callable[[str], Collection[str]],
        prepare: Callable[[str, tuple[str, ...]], None],
        max_concurrent: int | None = None,
        may_come: Sequence[NodeResources] = (),
    ):
        self._store, self._needed, self._prepare = store, needed, prepare
        self._leases = Leases(store)
        self._lock = threading.RLock()
        self._lease_of: dict[str, str] = {}
        self._nodes: dict[str, Node] = {}
        """Of features and stages."""
        for node in {name: nodes[name] for item in work for name in item.path}.values():
            match node.kind:
                case "features" | "stage":
                    self._lease_of[node.id], self._nodes[node.id] = _key(node), node
                case "evaluation":
                    pass
                case _:
                    assert_never(node.kind)
        whole_work = []
        for item in work:
            own = {f"folder of {item.trial_id}": layout.trial_lease(study, item.trial_id)}
            stages = [node for node in item.path if node in self._nodes and self._nodes[node].kind == "stage"]
            if stages:
                own[f"evaluation of {stages[-1]}"] = layout.evaluation_lease(self._lease_of[stages[-1]])
            self._lease_of |= own
            whole_work.append(replace(item, path=(*item.path, *own), costs=(*item.costs, *[0.0] * len(own))))
        self._leased: dict[str, tuple[str, ...]] = {}
        self._requests = {item.trial_id: item.request for item in work}
        self._paths = {item.trial_id: item.path for item in whole_work}
        self._cluster_nodes, self._may_come = tuple(cluster_nodes), tuple(may_come)
        self._max_concurrent = max_concurrent
        self._room = self._count_room()
        self._schedule = Schedule(whole_work, done, cluster_nodes, max_concurrent)

    def next(self) -> str | Literal[Finished.FINISHED] | None:
        """Dispatch a trial and return its id; None if none can start now, FINISHED if none is left.

        Raises:
            OSError: storage is away or full; the trial waits again.
        """
        with self._lock:
            for _ in range(MAX_ATTEMPTS):
                trial = self._schedule.next()
                if not isinstance(trial, str):
                    return trial
                try:
                    if self._secure(trial):
                        self._prepare(trial, tuple(filter(self._nodes.__contains__, self._schedule.undone(trial))))
                        return trial
                except OSError:
                    if trial in self._schedule.running:
                        self._schedule.withdraw(trial)
                    self._leases.release(self._leased.pop(trial, ()))
                    raise
            return None

    def _secure(self, trial: str) -> bool:
        """Take the leases of all that the trial will produce. If one is held by another run, the trial waits for it.

        What was done when the run began, or another trial has done since, is looked at again: it may have been damaged,
        freed, or set aside by who makes it again. Then it is to be produced like all that was never done.
        """
        undone = self._schedule.undone(trial)
        again = [node for node in self._needed(trial) if node not in undone]
        if again:
            self._schedule.withdraw(trial)
            for node in again:
                self._schedule.node_undone(node)
            return False
        leases = {self._lease_of[node]: node for node in undone if node in self._lease_of}
        missing = self._leases.take(tuple(leases))
        if missing is not None:
            self._schedule.withdraw(trial)
            self._schedule.held_elsewhere(leases[missing])
            return False
        self._leased[trial] = tuple(leases)
        for lease, node in leases.items():  # read again: it may have been finished just before
            if self._has_result(node):
                self._schedule.node_done(node)
                self._leases.release([lease])
        return True

    def node_done(self, node: str) -> bool:
        """Free a node that a running trial reports as done. Returns False, and frees nothing, if it has no result."""
        with self._lock:
            if node not in self._nodes:
                return True  # an evaluation: nobody waits for it
            if not self._has_result(node):
                return False
            self._schedule.node_done(node)
            self._leases.release([self._lease_of[node]])
            return True

    def _has_result(self, node: str) -> bool:
        """Return whether a node's result is on storage, whole: a damaged one is made again by who takes its lease."""
        try:
            return node in self._nodes and read_node(self._nodes[node], self._store).is_done
        except OSError as error:
            logger.warning("%s", error)
            return False

    def ended(self, trial: str, *, group_kept: bool) -> None:
        """Free what an ended trial, done or failed, has not produced: another one may produce it."""
        with self._lock:
            self._schedule.ended(trial, group_kept=group_kept)
            self._leases.release(self._leased.pop(trial, ()))

    def suspend(self, trial: str, *, group_kept: bool) -> None:
        """Free what a trial has not produced that will be tried again; it does not start before `resume`."""
        with self._lock:
            self._schedule.suspend(trial, group_kept=group_kept)
            self._leases.release(self._leased.pop(trial, ()))

    def resume(self, trial: str, avoided: tuple[str, ...] = ()) -> None:
        """Let a suspended trial start again, on other nodes than these if it fits on the others."""
        with self._lock:
            self._schedule.resume(trial, self._elsewhere(replace(self._requests[trial], avoided=avoided)))

    def avoided(self, trial: str) -> tuple[str, ...]:
        """Return the nodes on which a trial that was dispatched must not be placed."""
        return self._schedule.avoided(trial)

    def is_on_one_node(self, trial: str) -> bool:
        """Return whether all workers of a trial are placed on one node."""
        return self._schedule.is_on_one_node(self._schedule.request_of(trial))

    def wanted(self) -> tuple[ResourceRequest, ...]:
        """List what the running trials have, and what those need that could start if there were room."""
        with self._lock:
            return self._schedule.wanted

    @property
    def most_at_once(self) -> int:
        """Most trials of this run that will run at a time from now on: as many as are left, or as there is room for."""
        with self._lock:
            return min(self._schedule.left, max(self._room, len(self._schedule.running)))

    def _count_room(self) -> int:
        """Count the trials of the smallest request that fit into the cluster, and into what it may become."""
        clusters, requests = (self._cluster_nodes, self._may_come), set(self._requests.values())
        room = max((at_once(request, nodes) for request in requests for nodes in clusters), default=0)
        return room if self._max_concurrent is None else min(room, self._max_concurrent)

    def devices(self, trial: str) -> float:
        """Return how many devices a trial costs while it runs."""
        return self._requests[trial].devices

    def expected_gpu_seconds(self) -> float:
        """Estimate what the running trials take from now on; workers count where there are no GPUs."""
        with self._lock:
            running = self._schedule.running
            return sum(self._schedule.expected_s(trial) * self._requests[trial].devices for trial in running)

    def saved(self, trial: str) -> tuple[int, int]:
        """Return how far a trial is on storage: nodes of its path that are done, and steps kept of the next one."""
        with self._lock:
            undone = self._schedule.undone(trial)
        first = next((self._nodes[node] for node in undone if node in self._nodes), None)
        return len(self._paths[trial]) - len(undone), 0 if first is None else kept_steps(first, self._store) or 0

    def _elsewhere(self, request: ResourceRequest) -> ResourceRequest:
        """Return a request with the nodes that it avoids, or without them if it fits nowhere else as well as there."""
        anywhere = replace(request, avoided=())
        on_one_node = fits_one_node(anywhere, self._cluster_nodes)
        is_met = place(request, self._cluster_nodes, on_one_node=on_one_node) is not None
        return request if is_met else anywhere

    def hold(self, trials: Iterable[str]) -> None:
        """Dispatch these trials no more before they are released."""
        with self._lock:
            for trial in trials:
                self._schedule.hold(trial)

    def release(self, trials: Iterable[str]) -> None:
        """Let trials that were held be dispatched."""
        with self._lock:
            for trial in trials:
                self._schedule.release(trial)

    def occupy(self, guest: str, request: ResourceRequest) -> None:
        """Count room as taken by work that is none of these trials."""
        with self._lock:
            self._schedule.occupy(guest, request)

    def vacate(self, guest: str) -> None:
        """Count the room of such work as free again."""
        with self._lock:
            self._schedule.vacate(guest)

    @property
    def not_running(self) -> int:
        """Number of the trials that are still to be dispatched, for the first time or again."""
        with self._lock:
            return self._schedule.not_running

    def drop_waiting(self, is_dropped: Callable[[str], bool]) -> tuple[str, ...]:
        """Remove trials that have not started, and never start then. Returns their ids."""
        with self._lock:
            dropped = tuple(trial for trial in self._schedule.waiting if is_dropped(trial))
            for trial in dropped:
                self._schedule.drop(trial)
            return dropped

    def poll_other_runs(self) -> None:
        """Read from storage what other runs have finished or given up."""
        with self._lock:
            awaited = self._schedule.elsewhere
        for node in awaited:
            finished = self._has_result(node)
            free = not finished and self._store.lease_owner(self._lease_of[node]) is None
            with self._lock:
                if finished:
                    self._schedule.node_done(node)
                elif free:
                    self._schedule.freed_elsewhere(node)

    def renew(self) -> tuple[str, ...]:
        """Renew all leases. Returns the running trials that have lost one and must stop."""
        lost = set(self._leases.renew())
        with self._lock:
            return tuple(trial for trial, leases in self._leased.items() if lost.intersection(leases))

    def resize(self, cluster_nodes: Sequence[NodeResources]) -> None:
        """Replace the cluster's nodes, some of which may have come or gone."""
        with self._lock:
            self._cluster_nodes = tuple(cluster_nodes)
            self._room = self._count_room()
            self._schedule.resize(cluster_nodes)
            for trial in self._schedule.waiting:
                request = self._schedule.request_of(trial)
                if request.avoided and self._elsewhere(request) != request:
                    self._schedule.change_request(trial, replace(request, avoided=()))

    def close(self) -> None:
        """Release all leases."""
        self._leases.release_all()


def _key(node: Node) -> str:
    if node.key is None:
        raise ValueError(f"{node.id}: work without a key cannot be done, it lacks {', '.join(node.missing)}")
    return node.key
