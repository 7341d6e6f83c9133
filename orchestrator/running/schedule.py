"""Choose the next trial by sharing, order, admission and affinity: a state machine without files or Ray.

- *Sharing*: a trial may start only when none of its undone nodes is being produced, by another trial or elsewhere; it
  then holds them all, and gives each back as it is done, so that followers start while it goes on. If it fails, its
  undone nodes are free again and one of the trials that wait for them takes its place.
- *Order*: among trials of one resource request, what was begun first, so that little is left half-done when a run ends
  early; then the longest remaining path; of equals, the one whose next node most others wait for. Among requests, those
  go first that must start now to end with the rest (`orchestrator.running.outlook`), the widest first.
- *Admission*: only what the free resources of the cluster hold now. The first that is due and does not fit gets a
  reservation; what does not delay it is started meanwhile (`orchestrator.running.reservation`).
- *Labels*: a trial goes to the nodes that the fewest of the waiting trials with labels need, and to a node that one of
  these could take now only if that is not to start before it (`cluster.node_needs`).
- *Again*: a trial whose attempt was lost is suspended, and waits again once it is resumed, maybe with another request.
- *Held*: a trial whose shape is being rehearsed waits, whatever is free, until it is released.
- *Affinity*: trials with the resource request of one that has just ended go on in its place, because its group of
  workers can be reused. What is not due comes last, the narrowest first, so that what is wide is left for the end.

Every event changes the same few tables, so that this is one file though it is a long one.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from functools import cache, partial
from typing import Final, Literal

from cluster.fit import NodeResources, fits_one_node, place, remaining, share
from cluster.launcher import ResourceRequest
from cluster.node_needs import NodeNeeds
from orchestrator.running.outlook import Outlook
from orchestrator.running.reservation import Ending, Reservation, reserve
from orchestrator.running.work import Work

Entry = tuple[bool, float, int, int, str]
"""What trials are ordered by: not begun, minus the remaining costs, minus the sharers, place in the plan, id."""

ELSEWHERE: Final = ""
"""Holder of a node that another run is producing (a trial's id is never empty)."""


class Finished(Enum):
    """No trial is left to dispatch, ever."""

    FINISHED = "finished"


FINISHED: Final = Finished.FINISHED


class Schedule:
    """The order in which trials start. Not thread-safe. Every method is cheap: events do the work, `next` reads it.

    Args:
        work: the trials, in plan order.
        done: ids of nodes that need not be produced.
        nodes: resources of the cluster's nodes, all of them free.
        max_concurrent: most trials at a time; None for as many as the cluster has resources for.
        clock: seconds that pass, for what running trials have done of their estimates.

    Raises:
        ValueError: if a trial's costs are not one for each node of its path.
    """

    def __init__(
        self,
        work: Sequence[Work],
        done: Iterable[str],
        nodes: Sequence[NodeResources],
        max_concurrent: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._work = {item.trial_id: item for item in work}
        self._plan_order = {item.trial_id: i for i, item in enumerate(work)}
        self._waiting = set(self._work)
        self._suspended: set[str] = set()
        self._held: set[str] = set()
        self._done: set[str] = set()
        self._holder: dict[str, str] = {}
        self._on_node: dict[str, list[str]] = defaultdict(list)
        self._blocked: Counter[str] = Counter()
        self._remaining: dict[str, float] = {}
        self._ready: dict[ResourceRequest, list[Entry]] = {item.request: [] for item in work}
        self._idle: Counter[ResourceRequest] = Counter()
        self._free, self._max_concurrent = tuple(nodes), max_concurrent
        self._placements: dict[str, tuple[int, ...]] = {}
        self._guests: dict[str, tuple[ResourceRequest, tuple[int, ...]]] = {}
        """Work that is no trial of this schedule, but takes room -> what it needs, and where it is."""
        self._needs = NodeNeeds(nodes)
        self._left_free: dict[str, tuple[str, ...]] = {}
        """Running trial -> nodes that were left to trials with labels when it was dispatched."""
        self._outlook = Outlook(cache(partial(share, nodes=tuple(nodes))), clock)
        self.is_on_one_node = cache(partial(fits_one_node, nodes=tuple(nodes)))
        """Whether all workers of a request are placed on one node: on those that there are, one can hold them."""
        self._changed = True
        for item in work:
            if len(item.costs) != len(item.path):
                raise ValueError(f"{item.trial_id}: {len(item.path)} nodes need as many costs, not {len(item.costs)}")
            self._remaining[item.trial_id] = sum(item.costs)
            self._needs.add(item.request)
            for node, cost in zip(item.path, item.costs, strict=True):
                self._on_node[node].append(item.trial_id)
                self._outlook.add(node, item.request, cost)
        for node in done:
            self.node_done(node)
        for item in work:
            self._offer(item.trial_id)

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the trials that have been dispatched and have not ended."""
        return tuple(self._placements)

    @property
    def waiting(self) -> tuple[str, ...]:
        """Ids of the trials that have not been dispatched, in plan order."""
        return tuple(sorted(self._waiting, key=self._plan_order.__getitem__))

    @property
    def left(self) -> int:
        """Number of the trials that have not ended: waiting, suspended or running."""
        return self.not_running + len(self._placements)

    @property
    def not_running(self) -> int:
        """Number of the trials that are still to be dispatched, for the first time or again."""
        return len(self._waiting) + len(self._suspended)

    @property
    def free(self) -> tuple[NodeResources, ...]:
        """What the running trials leave of each node of the cluster."""
        return self._free

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """Ids of the nodes that another run is producing."""
        return tuple(node for node, holder in self._holder.items() if holder == ELSEWHERE)

    def undone(self, trial: str) -> tuple[str, ...]:
        """Return the nodes of a trial's path that are still to be produced, in order."""
        return tuple(node for node in self._work[trial].path if node not in self._done)

    @property
    def wanted(self) -> tuple[ResourceRequest, ...]:
        """What the running trials have, and then what those need that could start if there were room."""
        ready = [trial for trial in self.waiting if not self._blocked[trial]]
        return tuple(self._work[trial].request for trial in (*self._placements, *ready))

    def expected_s(self, trial: str) -> float:
        """Estimate for how many seconds a running trial still runs."""
        return self._outlook.ends_in_s(trial, self._remaining[trial])

    def next(self) -> str | Literal[Finished.FINISHED] | None:
        """Dispatch a trial: it now holds its undone nodes and its resources. None if none can start now.

        FINISHED once every trial has ended: one that runs may have to be tried again.
        """
        if not self.left:
            return FINISHED
        if not self._changed:
            return None
        choice = self._choose()
        if choice is None:
            self._changed = False  # until something happens, the answer stays the same
            return None
        self._dispatch(*choice)
        return choice[0]

    def node_done(self, node: str) -> None:
        """Mark a node as produced, here or elsewhere. Followers need not wait for its producer to go on."""
        if node in self._done:
            return
        producer = self._holder.get(node)
        self._release(node)
        self._done.add(node)
        if node in self._on_node:
            self._outlook.done(node)
        if producer in self._placements:
            self._outlook.went_on(producer, node, self._next_s(producer))
        for trial in self._on_node.get(node, ()):
            work = self._work[trial]
            self._remaining[trial] -= work.costs[work.path.index(node)]
            self._offer(trial)

    def ended(self, trial: str, *, group_kept: bool) -> None:
        """End a trial that was dispatched: it is done (its group can be reused) or has failed (its group is gone)."""
        request = self._work[trial].request
        self._leave(trial)
        if group_kept:
            self._idle[request] += 1

    def suspend(self, trial: str, *, group_kept: bool) -> None:
        """End an attempt of a trial that will be tried again: it does not wait yet, but is still to come."""
        self.ended(trial, group_kept=group_kept)
        self._suspended.add(trial)
        self._needs.add(self._work[trial].request)

    def resume(self, trial: str, request: ResourceRequest) -> None:
        """Have a suspended trial wait again, as one that was begun, with what it needs now."""
        self._suspended.remove(trial)
        self._work[trial] = replace(self._work[trial], is_begun=True)
        self._waiting.add(trial)
        self.change_request(trial, request)

    def change_request(self, trial: str, request: ResourceRequest) -> None:
        """Change the request of a trial that is not running."""
        self._needs.remove(self._work[trial].request)
        self._needs.add(request)
        self._work[trial] = replace(self._work[trial], request=request)
        self._ready.setdefault(request, [])
        self._offer(trial)

    def request_of(self, trial: str) -> ResourceRequest:
        """Return what a trial needs."""
        return self._work[trial].request

    def avoided(self, trial: str) -> tuple[str, ...]:
        """Return the nodes on which a running trial is not to be placed: it avoids them, or leaves them to others."""
        return (*self._work[trial].request.avoided, *self._left_free.get(trial, ()))

    def withdraw(self, trial: str) -> None:
        """Take a trial back that was dispatched: it could not start after all and waits again."""
        self._leave(trial)
        self._waiting.add(trial)
        self._needs.add(self._work[trial].request)
        self._offer(trial)

    def node_undone(self, node: str) -> None:
        """Mark a node that was done as one to be produced again: what it stands for is damaged or not there."""
        if node not in self._done:
            return
        self._done.remove(node)
        if node in self._on_node:
            self._outlook.undone(node)
        for trial in self._on_node.get(node, ()):
            work = self._work[trial]
            self._remaining[trial] += work.costs[work.path.index(node)]
            self._offer(trial)

    def held_elsewhere(self, node: str) -> None:
        """Mark a node that another run on this storage is producing."""
        if node not in self._done and node not in self._holder:
            self._hold(node, ELSEWHERE)

    def freed_elsewhere(self, node: str) -> None:
        """Free a node that another run was producing and has given up, undone."""
        if self._holder.get(node) == ELSEWHERE:
            self._release(node)

    def hold(self, trial: str) -> None:
        """Dispatch a trial no more before it is released."""
        self._held.add(trial)

    def release(self, trial: str) -> None:
        """Let a trial that was held be dispatched."""
        self._held.discard(trial)
        self._offer(trial)

    def occupy(self, guest: str, request: ResourceRequest) -> None:
        """Count room as taken by work that is none of these trials; nothing, if there is no room for it."""
        placement = self._place(request, self._free)
        if placement is not None:
            self._free, self._guests[guest] = remaining(request, self._free, placement), (request, placement)

    def vacate(self, guest: str) -> None:
        """Count the room of such work as free again."""
        if guest in self._guests:
            request, placement = self._guests.pop(guest)
            self._free, self._changed = remaining(request, self._free, [-count for count in placement]), True

    def drop(self, trial: str) -> None:
        """Remove a trial that is still waiting: it is never dispatched."""
        if trial in self._waiting:
            self._waiting.remove(trial)
            self._needs.remove(self._work[trial].request)

    def resize(self, nodes: Sequence[NodeResources]) -> None:
        """Replace the cluster's nodes. Running trials keep their placement on those that are still there."""
        numbers = {node.name: i for i, node in enumerate(nodes)}

        def moved(placement: tuple[int, ...]) -> tuple[int, ...]:
            counts = [0] * len(nodes)
            for node, count in zip(self._free, placement, strict=True):
                if count and node.name in numbers:
                    counts[numbers[node.name]] = count
            return tuple(counts)

        placements = {trial: moved(placement) for trial, placement in self._placements.items()}
        guests = {name: (request, moved(placement)) for name, (request, placement) in self._guests.items()}
        taken = [(self._work[trial].request, placement) for trial, placement in placements.items()]
        free = tuple(nodes)
        for request, placement in (*taken, *guests.values()):
            free = remaining(request, free, placement)
        self._free, self._placements, self._guests, self._changed = free, placements, guests, True
        self._needs.resize(nodes)
        self._outlook.share = cache(partial(share, nodes=tuple(nodes)))
        self.is_on_one_node = cache(partial(fits_one_node, nodes=tuple(nodes)))

    def _choose(self) -> tuple[str, tuple[int, ...]] | None:
        """Choose a trial that may start now, and where; None if there is none."""
        if self._max_concurrent is not None and len(self._placements) + len(self._guests) >= self._max_concurrent:
            return None
        heads = {request: head for request in self._ready if (head := self._head(request)) is not None}
        order = self._in_order(heads)
        labelled = [request for request in heads if request.labels and self._place(request, self._free) is not None]
        kept = {request: nodes for request in heads if (nodes := self._needs.kept_from(request, labelled))}
        return (self._first_with_room(heads, order, kept) if kept else None) or self._first_with_room(heads, order, {})

    def _first_with_room(
        self,
        heads: Mapping[ResourceRequest, Entry],
        order: Iterable[tuple[ResourceRequest, bool]],
        kept: Mapping[ResourceRequest, frozenset[int]],
    ) -> tuple[str, tuple[int, ...]] | None:
        """Return the first trial that has room now and delays no reservation, with its placement; None if none has.

        Args:
            heads: the first trial of each request.
            order: of the requests, each with whether it must start now.
            kept: request -> nodes that it does not take now.
        """
        reservation: Reservation | None = None
        for request, is_due in order:
            trial = heads[request][-1]
            if reservation is None or self._remaining[trial] * self._outlook.pace <= reservation.in_s:
                room = self._free
            else:
                room = reservation.beside
            placement = self._place(request, room)
            if placement is not None and not any(placement[i] for i in kept.get(request, ())):
                return trial, placement
            if is_due and reservation is None and placement is None and len(heads) > 1:
                on_one_node = self.is_on_one_node(request)
                reservation = reserve(request, self._free, self._endings(), on_one_node=on_one_node)
        return None

    def _place(self, request: ResourceRequest, room: Sequence[NodeResources]) -> tuple[int, ...] | None:
        """Place a trial on the nodes that those with labels need least; None if there is no room for it."""
        return place(request, room, on_one_node=self.is_on_one_node(request), needs=self._needs.by_node())

    def _in_order(self, heads: Mapping[ResourceRequest, Entry]) -> list[tuple[ResourceRequest, bool]]:
        """Order the requests of which a trial may start, each with whether it must start now."""
        if len(heads) < 2:
            return [(request, True) for request in heads]
        due = self._outlook.due({request: self._remaining[head[-1]] for request, head in heads.items()})
        due |= {request for request, head in heads.items() if self._idle[request] or self._work[head[-1]].is_begun}

        def rank(request: ResourceRequest) -> tuple[bool, float, float, Entry]:
            is_due, has_group = request in due, min(self._idle[request], 1)
            width = self._outlook.share(request)
            return not is_due, *((-width, -has_group) if is_due else (-has_group, width)), heads[request]

        return [(request, request in due) for request in sorted(heads, key=rank)]

    def _next_s(self, trial: str) -> float:
        """Estimate the seconds of the next piece of work of a trial; 0 if none is left."""
        work = self._work[trial]
        left = (cost for node, cost in zip(work.path, work.costs, strict=True) if node not in self._done)
        return next(left, 0.0)

    def _endings(self) -> list[Ending]:
        """List the running trials with the times at which they are expected to end."""
        return [
            Ending(self.expected_s(trial), self._work[trial].request, placement)
            for trial, placement in self._placements.items()
        ]

    def _head(self, request: ResourceRequest) -> Entry | None:
        """Return the first trial of a request that may start; outdated entries are removed."""
        heap = self._ready[request]
        while heap and not self._is_current(request, heap[0]):
            heapq.heappop(heap)
        return heap[0] if heap else None

    def _is_current(self, request: ResourceRequest, entry: Entry) -> bool:
        trial = entry[-1]
        is_next = self._may_start(trial) and self._work[trial].request == request
        return is_next and entry == self._entry(trial)

    def _may_start(self, trial: str) -> bool:
        """Tell whether a trial waits for room alone."""
        return trial in self._waiting and trial not in self._held and not self._blocked[trial]

    def _offer(self, trial: str) -> None:
        """Add a trial to those that may start, if it may."""
        self._changed = True
        if self._may_start(trial):
            heapq.heappush(self._ready[self._work[trial].request], self._entry(trial))

    def _entry(self, trial: str) -> Entry:
        first = next(iter(self.undone(trial)), None)
        sharers = len(self._on_node[first]) if first is not None else 0
        is_begun = self._work[trial].is_begun
        return (not is_begun, -self._remaining[trial], -sharers, self._plan_order[trial], trial)

    def _dispatch(self, trial: str, placement: tuple[int, ...]) -> None:
        request = self._work[trial].request
        self._free, self._placements[trial] = remaining(request, self._free, placement), placement
        self._outlook.started(trial, request, self._next_s(trial))
        self._waiting.discard(trial)
        self._needs.remove(request)
        self._left_free[trial] = self._needs.left_free(request, placement)
        left = max(0, self._idle[request] - 1)
        self._idle.clear()  # Tune gives idle groups of other requests up when it starts this one
        self._idle[request] = left
        for node in self.undone(trial):
            self._hold(node, trial)

    def _leave(self, trial: str) -> None:
        placement = self._placements.pop(trial)
        del self._left_free[trial]
        self._outlook.ended(trial)
        self._free = remaining(self._work[trial].request, self._free, [-count for count in placement])
        for node in self._work[trial].path:
            if self._holder.get(node) == trial:
                self._release(node)
        self._changed = True

    def _hold(self, node: str, holder: str) -> None:
        self._holder[node] = holder
        for trial in self._on_node.get(node, ()):
            self._blocked[trial] += 1

    def _release(self, node: str) -> None:
        if self._holder.pop(node, None) is None:
            return
        for trial in self._on_node.get(node, ()):
            self._blocked[trial] -= 1
            self._offer(trial)
