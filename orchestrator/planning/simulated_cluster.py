"""Simulate the cluster, the storage and the drivers of runs, event by event."""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from cluster.fit import NodeResources, place, remaining, totals
from cluster.launcher import ResourceRequest
from orchestrator.planning.lower_bound import Piece
from orchestrator.running.schedule import Schedule
from orchestrator.running.work import Work

POLL_S = 2.0
"""Seconds until what one driver has finished or given up is seen by the others, as in real runs."""

RETRY_AFTER_S = 10.0
"""Seconds until a trial whose attempt failed waits again."""


@dataclass(frozen=True)
class Disturbances:
    """What keeps a cluster from doing as was estimated."""

    sigma: float = 0.0
    """Of the logarithm of actual over estimated seconds of a piece of work: 0.3 for about 30 %."""
    straggler_share: float = 0.0
    """Share of the pieces of work that take `straggler_factor` times as long."""
    straggler_factor: float = 3.0
    failures_per_device_hour: float = 0.0
    """Attempts that end without a notice, such as by a lost process."""
    preemptions_per_node_hour: float = 0.0
    """Machines that go away, with all that runs on them, after a notice that leaves time for a checkpoint."""
    preempted_for_s: float = 1800.0
    checkpoint_every_s: float = 600.0
    """What an attempt that fails without a notice loses is what it has done since."""
    group_start_s: float = 0.0
    """Seconds to start a group of workers, where none of the same request can be reused."""


UNDISTURBED = Disturbances()


@dataclass
class _Attempt:
    """An attempt of a trial that holds seats of its driver's schedule."""

    trial: str
    request: ResourceRequest
    todo: deque[str]
    placement: tuple[int, ...] | None = None
    """None while it waits for the cluster, whose seats another driver's trials have."""
    began_s: float = 0.0
    """When the piece of work at hand was begun."""
    fails_at_s: float = math.inf
    is_over: bool = False


@dataclass
class _Driver:
    schedule: Schedule
    work: Mapping[str, Work]
    attempts: dict[str, _Attempt] = field(default_factory=dict)
    idle_groups: Counter[ResourceRequest] = field(default_factory=Counter)


class SimulatedCluster:
    def __init__(
        self,
        drivers: Sequence[Sequence[Work]],
        nodes: Sequence[NodeResources],
        disturbances: Disturbances,
        seed: int,
        max_concurrent: int | None,
    ):
        self._now = 0.0
        self._nodes, self._free = tuple(nodes), tuple(nodes)
        self._disturbances, self._random = disturbances, random.Random(seed)
        self._drivers = [
            _Driver(Schedule(work, (), nodes, max_concurrent, clock=lambda: self._now), {w.trial_id: w for w in work})
            for work in drivers
        ]
        self._factor = {node: self._drawn_factor() for work in drivers for item in work for node in item.path}
        self._left: dict[str, float] = {}
        """Piece of work that was begun -> seconds that are left of it."""
        self._holder: dict[str, _Driver] = {}
        self._done: set[str] = set()
        self._waiting_for_seats: list[tuple[_Driver, _Attempt]] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = 0
        self._on_gpus = totals(nodes)[1] > 0
        self._away: frozenset[int] = frozenset()
        self.counts: Counter[str] = Counter()
        self.lost_device_s = 0.0
        self._last_end_s = 0.0
        self._unfinished = sum(len(work) for work in drivers)

    def run(self) -> float:
        """Do what happens until every trial is done, and return the seconds until then."""
        for i in range(len(self._nodes)):
            self._plan_preemption(i)
        self._dispatch()
        self._seat()
        while self._unfinished:
            if not self._events:
                waiting = sum(len(driver.schedule.waiting) for driver in self._drivers)
                raise RuntimeError(f"{waiting} trials wait, and nothing runs that could end")
            self._now, _, event = heapq.heappop(self._events)
            event()
            self._dispatch()
            self._seat()
        return self._last_end_s

    def chains(self) -> list[list[Piece]]:
        """List the pieces of work of every trial, with the seconds that they take."""
        return [
            [Piece(node, self._seconds(work, node), work.request) for node in work.path]
            for driver in self._drivers
            for work in driver.work.values()
        ]

    def _drawn_factor(self) -> float:
        disturbances = self._disturbances
        is_straggler = self._random.random() < disturbances.straggler_share
        factor = math.exp(self._random.gauss(0.0, disturbances.sigma)) if disturbances.sigma else 1.0
        return factor * (disturbances.straggler_factor if is_straggler else 1.0)

    def _devices(self, request: ResourceRequest) -> float:
        """Count the devices that a request takes: GPUs, or CPUs on a cluster without GPUs."""
        return request.gpus if self._on_gpus else request.cpus

    def _seconds(self, work: Work, node: str) -> float:
        return work.costs[work.path.index(node)] * self._factor[node]

    def _at(self, time_s: float, event: Callable[[], None]) -> None:
        self._numbers += 1
        heapq.heappush(self._events, (time_s, self._numbers, event))

    # ------------------------------------------------------------ drivers

    def _dispatch(self) -> None:
        for driver in self._drivers:
            while isinstance(trial := driver.schedule.next(), str):
                self._dispatch_trial(driver, trial)

    def _dispatch_trial(self, driver: _Driver, trial: str) -> None:
        """Take the leases of what a trial will produce and have it wait for its seats, as a real driver does."""
        schedule = driver.schedule
        undone = schedule.undone(trial)
        held = next((node for node in undone if self._holder.get(node, driver) is not driver), None)
        if held is not None:
            schedule.withdraw(trial)
            schedule.held_elsewhere(held)
            return
        for node in undone:
            if node in self._done:
                schedule.node_done(node)  # another driver has finished it, which a poll would have shown soon
            else:
                self._holder[node] = driver
        attempt = _Attempt(trial, schedule.request_of(trial), deque(schedule.undone(trial)))
        driver.attempts[trial] = attempt
        self.counts["dispatched"] += 1
        self._waiting_for_seats.append((driver, attempt))

    def _seat(self) -> None:
        """Place the attempts that wait, in order, where they fit now: the pending groups of the whole cluster."""
        still = []
        for driver, attempt in self._waiting_for_seats:
            if attempt.is_over:
                continue
            on_one_node = driver.schedule.is_on_one_node(attempt.request)
            request = replace(attempt.request, avoided=driver.schedule.avoided(attempt.trial))
            placement = place(request, self._free, on_one_node=on_one_node)
            if placement is None:
                still.append((driver, attempt))
            else:
                self._start(driver, attempt, placement)
        self._waiting_for_seats = still

    def _start(self, driver: _Driver, attempt: _Attempt, placement: tuple[int, ...]) -> None:
        self._free, attempt.placement = remaining(attempt.request, self._free, placement), placement
        idle = driver.idle_groups[attempt.request]
        driver.idle_groups.clear()  # those of other requests are given up
        start_s = 0.0
        if idle:
            driver.idle_groups[attempt.request] = idle - 1
        else:
            self.counts["groups"] += 1
            start_s = self._disturbances.group_start_s
            self.lost_device_s += start_s * self._devices(attempt.request)
        rate = self._disturbances.failures_per_device_hour * self._devices(attempt.request) / 3600
        if rate:
            attempt.fails_at_s = self._now + self._random.expovariate(rate)
        self._at(self._now + start_s, partial(self._go_on, driver, attempt))

    def _go_on(self, driver: _Driver, attempt: _Attempt) -> None:
        """Begin the next piece of work of an attempt, or end it."""
        if attempt.is_over:
            return
        if not attempt.todo:
            self._end(driver, attempt, is_done=True)
            return
        node = attempt.todo[0]
        left = self._left.setdefault(node, self._seconds(driver.work[attempt.trial], node))
        attempt.began_s = self._now
        if self._now + left > attempt.fails_at_s:
            self._at(max(self._now, attempt.fails_at_s), partial(self._fail, driver, attempt, has_notice=False))
        else:
            self._at(self._now + left, partial(self._produced, driver, attempt, node))

    def _produced(self, driver: _Driver, attempt: _Attempt, node: str) -> None:
        if attempt.is_over:
            return
        attempt.todo.popleft()
        self._done.add(node)
        self._holder.pop(node, None)
        driver.schedule.node_done(node)
        for other in self._drivers:
            if other is not driver:
                self._at(self._now + POLL_S, partial(other.schedule.node_done, node))
        self._go_on(driver, attempt)

    def _fail(self, driver: _Driver, attempt: _Attempt, *, has_notice: bool) -> None:
        """End an attempt whose process is gone; it goes on later from its newest checkpoint."""
        if attempt.is_over:
            return
        if attempt.todo and attempt.placement is not None:
            worked = self._now - attempt.began_s
            kept = worked if has_notice else worked - math.fmod(worked, self._disturbances.checkpoint_every_s)
            self._left[attempt.todo[0]] = max(0.0, self._left.get(attempt.todo[0], 0.0) - kept)
            self.lost_device_s += (worked - kept) * self._devices(attempt.request)
        self.counts["failed"] += 1
        self._end(driver, attempt, is_done=False)

    def _end(self, driver: _Driver, attempt: _Attempt, *, is_done: bool) -> None:
        attempt.is_over = True
        del driver.attempts[attempt.trial]
        if attempt.placement is not None:
            self._free = remaining(attempt.request, self._free, [-count for count in attempt.placement])
        for node in [node for node in attempt.todo if self._holder.get(node) is driver]:
            del self._holder[node]
            for other in self._drivers:
                if other is not driver:
                    self._at(self._now + POLL_S, partial(other.schedule.freed_elsewhere, node))
        if is_done:
            self._unfinished -= 1
            self._last_end_s = self._now
            driver.idle_groups[attempt.request] += 1
            driver.schedule.ended(attempt.trial, group_kept=True)
        else:
            driver.schedule.suspend(attempt.trial, group_kept=False)
            request = driver.work[attempt.trial].request
            self._at(self._now + RETRY_AFTER_S, partial(driver.schedule.resume, attempt.trial, request))

    # ------------------------------------------------------------ machines

    def _plan_preemption(self, i: int) -> None:
        rate = self._disturbances.preemptions_per_node_hour / 3600
        if rate:
            self._at(self._now + self._random.expovariate(rate), partial(self._preempt, i))

    def _preempt(self, i: int) -> None:
        """Take a machine away, with all that runs on it, for a while."""
        for driver in self._drivers:
            for attempt in list(driver.attempts.values()):
                if attempt.placement is not None and attempt.placement[i]:
                    self._fail(driver, attempt, has_notice=True)
        self._set_machine(i, is_there=False)
        self._at(self._now + self._disturbances.preempted_for_s, partial(self._return, i))

    def _return(self, i: int) -> None:
        self._set_machine(i, is_there=True)
        self._plan_preemption(i)

    def _set_machine(self, i: int, *, is_there: bool) -> None:
        """Give or take a machine on which nothing runs, and have the drivers see it."""
        there = self._nodes[i] if is_there else replace(self._nodes[i], cpus=0, gpus=0)
        self._free = (*self._free[:i], there, *self._free[i + 1 :])
        self._away = self._away - {i} if is_there else self._away | {i}
        for driver in self._drivers:
            driver.schedule.resize([node for k, node in enumerate(self._nodes) if k not in self._away])
