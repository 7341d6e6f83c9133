"""Estimate the work that is left of a run, and choose the requests whose trials must start now to end with the rest.

Trials of one request run in lanes: as many lanes as trials at a time. Wide trials are left for the end, in lanes that
take at most half of the devices. Of many narrow trials some always take far longer than was estimated, and at the end a
cluster waits for them; wide trials beside them keep it busy meanwhile.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cluster.launcher import ResourceRequest

OVERRUN = 0.25
"""Share of a trial by which the last one of a lane may end later than all else: one lane more would cost more."""

WIDE = 0.5
"""Share of the cluster that wide trials may take in the end. One that takes more starts at once: to gather its room
later would keep more devices idle than it saves."""


@dataclass
class _Running:
    shape: ResourceRequest
    since_s: float
    """When its piece of work at hand was begun."""
    seconds: float
    """That this piece is estimated to take."""


class Outlook:
    """Estimated work that is left. How much longer it takes, and by how much that varies, is learnt as it is done.

    Args:
        share: computes the share of the cluster that a trial with a request takes.
        clock: seconds that pass.
    """

    def __init__(self, share: Callable[[ResourceRequest], float], clock: Callable[[], float]):
        self.share, self._clock = share, clock
        self._pieces: dict[str, tuple[ResourceRequest, float]] = {}
        self._open_s: dict[ResourceRequest, float] = defaultdict(float)
        """Estimated seconds of all that is not done, what runs included."""
        self._running: dict[str, _Running] = {}
        self._lanes: Counter[ResourceRequest] = Counter()
        self._actual_s, self._estimated_s = 0.0, 0.0
        self._squares, self._compared = 0.0, 0
        self.pace = 1.0
        """Actual seconds for each estimated one, as they were when `due` was last called."""

    def add(self, node: str, request: ResourceRequest, seconds: float) -> None:
        """Add a piece of work that is done once, whatever trials share it."""
        if node not in self._pieces:
            self._pieces[node] = request.anywhere, seconds
            self._open_s[request.anywhere] += seconds

    def done(self, node: str) -> None:
        """Take a piece of work off that is done, by whichever run."""
        shape, seconds = self._pieces[node]
        self._open_s[shape] -= seconds

    def undone(self, node: str) -> None:
        """Add a piece of work again whose result is lost."""
        shape, seconds = self._pieces[node]
        self._open_s[shape] += seconds

    def started(self, trial: str, request: ResourceRequest, seconds: float) -> None:
        """Note that a trial runs from now on, and how long its first piece of work is estimated to take."""
        shape = request.anywhere
        self._running[trial] = _Running(shape, self._clock(), seconds)
        self._lanes[shape] += 1

    def went_on(self, trial: str, done: str, seconds: float) -> None:
        """Note that a running trial has done a piece of work, and how long its next one is estimated to take."""
        running, now = self._running[trial], self._clock()
        actual_s, estimated_s = now - running.since_s, self._pieces[done][1]
        running.since_s, running.seconds = now, seconds
        if actual_s > 0 and estimated_s > 0:
            self._actual_s += actual_s
            self._estimated_s += estimated_s
            self._squares += math.log(actual_s / (estimated_s * self.pace)) ** 2
            self._compared += 1

    def ended(self, trial: str) -> None:
        """Note that a trial does not run any more."""
        self._lanes[self._running.pop(trial).shape] -= 1

    def ends_in_s(self, trial: str, left_s: float) -> float:
        """Estimate in how many seconds a running trial ends; 0 for one that takes longer than it should.

        Args:
            trial: that runs.
            left_s: estimated seconds of its work, what it has done of the present piece included.
        """
        return max(0.0, left_s * self.pace - (self._clock() - self._running[trial].since_s))

    def due(self, longest_s: Mapping[ResourceRequest, float]) -> frozenset[ResourceRequest]:
        """Choose the requests of which one more trial must start now for their work to end when all work does.

        All work ends no sooner than the cluster can do it, and no sooner than the longest path. Until then a
        lane takes a whole number of trials.

        Args:
            longest_s: each request of which a trial may start, with the estimated seconds that its longest one takes.
        """
        self._learn_pace()
        open_s = self._left_s()
        whole_s = sum(seconds * self.share(shape) for shape, seconds in open_s.items() if self.share(shape) <= 1)
        tails = {request: self._tail(request.anywhere, seconds) for request, seconds in longest_s.items()}
        due = set()
        for request, seconds in longest_s.items():
            shape = request.anywhere
            others = sum(tails.values()) - tails[request]
            horizon_s = max(whole_s + others, *longest_s.values())
            if self._is_due(shape, seconds, open_s.get(shape, 0.0), horizon_s):
                due.add(request)
        return frozenset(due)

    def _is_due(self, shape: ResourceRequest, longest_s: float, open_s: float, horizon_s: float) -> bool:
        most_lanes = math.floor(WIDE / self.share(shape))
        if most_lanes == 0 or longest_s <= 0:
            return True
        most_lanes = min(most_lanes, math.ceil(open_s / longest_s))
        trials_in_a_lane = max(1, math.floor(horizon_s / longest_s + OVERRUN))
        lanes_needed = open_s / (trials_in_a_lane * longest_s)
        return lanes_needed >= max(most_lanes, self._lanes[shape] + 1)

    def _left_s(self) -> dict[ResourceRequest, float]:
        """Estimate the seconds that are left of the work of each shape."""
        left_s, now = dict(self._open_s), self._clock()
        for running in self._running.values():
            left_s[running.shape] -= min(running.seconds, (now - running.since_s) / self.pace)
        return {shape: max(0.0, seconds) for shape, seconds in left_s.items()}

    def _tail(self, shape: ResourceRequest, seconds: float) -> float:
        """Estimate for how long the lanes of a shape wait for the last of them in the end, in seconds of the cluster.

        The largest of n normal deviations is about `sigma * sqrt(2 ln n)`.
        """
        lanes = max(1, self._lanes[shape])
        sigma = min(1.0, math.sqrt(self._squares / self._compared)) if self._compared else 0.0
        return sigma * math.sqrt(2 * math.log(lanes)) * seconds * min(1.0, lanes * self.share(shape))

    def _learn_pace(self) -> None:
        """Compare with its estimates what was done and what runs: what ends first is shorter than the rest."""
        now = self._clock()
        actual_s, estimated_s = self._actual_s, self._estimated_s
        for running in self._running.values():
            actual_s += now - running.since_s
            estimated_s += min(now - running.since_s, running.seconds)
        self.pace = actual_s / estimated_s if self._compared and estimated_s > 0 else 1.0
