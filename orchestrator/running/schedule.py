"""Which trial goes next: admission, sharing, order and affinity, as a state machine without clocks, files or Ray.

- *Sharing*: a trial may start only when none of its undone nodes is being produced, by another trial or elsewhere; it
  then holds them all, and gives each back as it is done, so that followers start while it goes on. If it fails, its
  undone nodes are free again and one of those held back takes its place.
- *Order*: longest remaining path first; of equals, the one whose next node most others wait for.
- *Admission*: only what the cluster has room for now.
- *Affinity*: the shape just freed goes first, because its group of workers can be reused; but a shape that has been
  passed over `PATIENCE` times goes before all others, and then nothing else starts until there is room for it.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from cluster.fit import Room, place, seated
from cluster.launcher import Shape

PATIENCE = 8
"""Hand-outs by which a shape may be passed over. Each turn of a large gang costs a wait for running trials to end, so
this is also how many trials share that cost."""

ELSEWHERE: Final = ""
"""Holder of a node that somebody else is producing (a trial's id is never empty)."""


class Finished(Enum):
    """No trial is left to hand out, ever."""

    FINISHED = "finished"


FINISHED: Final = Finished.FINISHED


@dataclass(frozen=True)
class Work:
    """One trial to do. `costs` are one for each node of `path`, in any common unit (seconds, steps)."""

    trial_id: str
    path: tuple[str, ...]
    shape: Shape
    costs: tuple[float, ...]


class Schedule:
    """Not thread-safe; every method is cheap: work is done when something happens, not when it is asked."""

    def __init__(
        self, work: Sequence[Work], done: Iterable[str], nodes: Sequence[Room], max_concurrent: int | None = None
    ):
        self._work = {item.trial_id: item for item in work}
        self._plan_order = {item.trial_id: i for i, item in enumerate(work)}
        self._waiting = set(self._work)
        self._done: set[str] = set()
        self._holder: dict[str, str] = {}
        self._on_node: dict[str, list[str]] = defaultdict(list)
        self._blocked: Counter[str] = Counter()
        self._remaining: dict[str, float] = {}
        self._ready: dict[Shape, list[tuple[float, int, int, str]]] = {item.shape: [] for item in work}
        self._passed: Counter[Shape] = Counter()
        self._idle: Counter[Shape] = Counter()
        self._free, self._max_concurrent = tuple(nodes), max_concurrent
        self._seats: dict[str, tuple[int, ...]] = {}
        self._changed = True
        for item in work:
            if len(item.costs) != len(item.path):
                raise ValueError(f"{item.trial_id}: {len(item.path)} nodes need as many costs, not {len(item.costs)}")
            self._remaining[item.trial_id] = sum(item.costs)
            for node in item.path:
                self._on_node[node].append(item.trial_id)
        for node in done:
            self.node_done(node)
        for item in work:
            self._offer(item.trial_id)

    @property
    def running(self) -> tuple[str, ...]:
        return tuple(self._seats)

    @property
    def waiting(self) -> int:
        """How many trials have not been handed out."""
        return len(self._waiting)

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """Nodes that somebody else is producing."""
        return tuple(node for node, holder in self._holder.items() if holder == ELSEWHERE)

    def undone(self, trial: str) -> tuple[str, ...]:
        """Return the nodes of a trial's path that are still to be produced, in order."""
        return tuple(node for node in self._work[trial].path if node not in self._done)

    def next(self) -> str | Literal[Finished.FINISHED] | None:
        """Hand out a trial: it now holds its undone nodes and its room. None: hold, ask again later."""
        if not self._waiting:
            return FINISHED
        if not self._changed:
            return None
        trial = self._choose()
        if trial is None:
            self._changed = False  # until something happens, the answer stays the same
            return None
        self._hand_out(trial)
        return trial

    def node_done(self, node: str) -> None:
        """Mark a node as produced, here or elsewhere. Followers need not wait for its producer to go on."""
        if node in self._done:
            return
        self._let_go(node)
        self._done.add(node)
        for trial in self._on_node.get(node, ()):
            work = self._work[trial]
            self._remaining[trial] -= work.costs[work.path.index(node)]
            self._offer(trial)

    def ended(self, trial: str, *, group_kept: bool) -> None:
        """End a trial that was handed out: it is done (its group can be reused) or has failed (its group is gone)."""
        shape = self._work[trial].shape
        self._leave(trial)
        if group_kept:
            self._idle[shape] += 1

    def withdraw(self, trial: str) -> None:
        """Undo a hand-out: the trial could not start after all and waits again."""
        self._leave(trial)
        self._waiting.add(trial)
        self._offer(trial)

    def held_elsewhere(self, node: str) -> None:
        """Mark a node that somebody else is producing (another run on this storage)."""
        if node not in self._done and node not in self._holder:
            self._hold(node, ELSEWHERE)

    def freed_elsewhere(self, node: str) -> None:
        """Free a node that somebody else was producing and has given up, undone."""
        if self._holder.get(node) == ELSEWHERE:
            self._let_go(node)

    def drop(self, trial: str) -> None:
        """Never hand out a trial that is still waiting."""
        self._waiting.discard(trial)

    def resize(self, nodes: Sequence[Room]) -> None:
        """Take over the cluster's new nodes. Running trials keep their seats on those that are still there."""
        names = {room.name: i for i, room in enumerate(nodes)}
        free, seats = list(nodes), {}
        for trial, taken in self._seats.items():
            moved = [0] * len(nodes)
            for room, count in zip(self._free, taken, strict=True):
                if count and room.name in names:
                    moved[names[room.name]] = count
            seats[trial] = tuple(moved)
            free = list(seated(self._work[trial].shape, free, moved))
        self._free, self._seats, self._changed = tuple(free), seats, True

    def _choose(self) -> str | None:
        if self._max_concurrent is not None and len(self._seats) >= self._max_concurrent:
            return None
        heads = {shape: head for shape in self._ready if (head := self._head(shape)) is not None}
        starving = [shape for shape in heads if self._passed[shape] >= PATIENCE]
        if starving:
            first = max(starving, key=lambda shape: (self._passed[shape], shape))
            if place(first, self._free) is not None:
                return heads[first][-1]
            if self._seats:  # room will come; without anything running it never would
                return None
        for shape in sorted(heads, key=lambda shape: (-min(self._idle[shape], 1), heads[shape])):
            if place(shape, self._free) is not None:
                return heads[shape][-1]
        return None

    def _head(self, shape: Shape) -> tuple[float, int, int, str] | None:
        """Return the first of a shape's trials that may start; entries that no longer hold are thrown away."""
        heap = self._ready[shape]
        while heap and not self._holds(heap[0]):
            heapq.heappop(heap)
        return heap[0] if heap else None

    def _holds(self, entry: tuple[float, int, int, str]) -> bool:
        trial = entry[-1]
        return trial in self._waiting and not self._blocked[trial] and entry[0] == -self._remaining[trial]

    def _offer(self, trial: str) -> None:
        """Put a trial among those that may start, if it may."""
        self._changed = True
        if trial in self._waiting and not self._blocked[trial]:
            first = next(iter(self.undone(trial)), None)
            sharers = len(self._on_node[first]) if first is not None else 0
            entry = (-self._remaining[trial], -sharers, self._plan_order[trial], trial)
            heapq.heappush(self._ready[self._work[trial].shape], entry)

    def _hand_out(self, trial: str) -> None:
        shape = self._work[trial].shape
        seats = place(shape, self._free)
        if seats is None:
            raise RuntimeError(f"there is no room for {trial}")  # _choose has looked
        self._free, self._seats[trial] = seated(shape, self._free, seats), seats
        self._waiting.discard(trial)
        for other in self._ready:
            if other != shape and self._head(other) is not None:
                self._passed[other] += 1
        self._passed[shape] = 0
        left = max(0, self._idle[shape] - 1)
        self._idle.clear()  # Tune gives idle groups of other shapes up when it starts this one
        self._idle[shape] = left
        for node in self.undone(trial):
            self._hold(node, trial)

    def _leave(self, trial: str) -> None:
        seats = self._seats.pop(trial)
        self._free = seated(self._work[trial].shape, self._free, [-count for count in seats])
        for node in self._work[trial].path:
            if self._holder.get(node) == trial:
                self._let_go(node)
        self._changed = True

    def _hold(self, node: str, holder: str) -> None:
        self._holder[node] = holder
        for trial in self._on_node.get(node, ()):
            self._blocked[trial] += 1

    def _let_go(self, node: str) -> None:
        if self._holder.pop(node, None) is None:
            return
        for trial in self._on_node.get(node, ()):
            self._blocked[trial] -= 1
            self._offer(trial)


def shapes(work: Iterable[Work]) -> Mapping[str, Shape]:
    """Map trial ids to what they ask of the cluster."""
    return {item.trial_id: item.shape for item in work}
