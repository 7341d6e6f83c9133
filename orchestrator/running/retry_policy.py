"""Decide what follows a failure: a state machine without clocks, files or Ray, that is told what happened.

Each kind of failure has an answer and, where that is another attempt, a budget. Budgets count attempts in a row that
failed without the trial having got any further on storage: a trial that makes progress is never given up for how often
its machines were taken away.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import assert_never

from orchestrator.state.failure_answers import ANSWERS
from search_spaces.outcomes import FailureKind

AFTER_S = (0.0, 10.0, 60.0, 300.0)
"""Pause before the first, second, ... attempt in a row without progress; the last one holds for all that follow. A
machine that is being restarted takes minutes, and until then every attempt on it fails."""

TOLD_OF_PREEMPTIONS = 5
"""Preemptions of a trial in a row without progress after which people are told: it may never get further there."""

BAD_NODE_LOSSES = 2
"""Attempts lost on one node, with none done there since, after which trials that are tried again go elsewhere."""


@dataclass(frozen=True)
class Budgets:
    """How often something is tried again."""

    lost: int = 3
    """Attempts of a trial after one that was lost, in a row without progress."""
    hung: int = 1
    """Attempts of a trial after one that hung, in a row without progress."""
    damaged: int = 2
    """Attempts of a trial after one that found something damaged on storage, in a row without progress."""
    storage: int = 3
    """Attempts of a trial after one that a disk failed which this process cannot see, in a row without progress."""


@dataclass(frozen=True)
class Again:
    """The trial is tried again."""

    after_s: float
    number: int
    """Which of the attempts in a row that this failure allows: 1 for the first, 0 for one that does not count."""
    most: int
    """How many it allows; 0 where they are not counted."""
    avoided: tuple[str, ...] = ()
    """Nodes on which the attempt should not run if there are others."""
    preemptions: int = 0
    """In a row without progress, of a failure that does not count."""


@dataclass(frozen=True)
class AfterStorage:
    """The trial is tried again once storage can be written to, and this attempt does not count."""


@dataclass(frozen=True)
class GivenUp:
    """The trial has failed."""

    tries: int = 0
    """Attempts in a row that this failure allowed and that are used up; 0 where it allows none."""


Decision = Again | AfterStorage | GivenUp


@dataclass
class _History:
    """Failures of a trial since it last got further."""

    saved: tuple[int, int] = (-1, -1)
    counts: Counter[FailureKind] = field(default_factory=Counter)


class RetryPolicy:
    """Remembers failures and decides what follows the next one."""

    def __init__(self, budgets: Budgets | None = None):
        self._budgets = budgets or Budgets()
        self._histories: dict[str, _History] = {}
        self._losses: Counter[str] = Counter()

    def failed(
        self,
        trial: str,
        kind: FailureKind,
        saved: tuple[int, int],
        node: str | None,
        *,
        is_storage_in_trouble: bool = False,
        has_smaller: bool = False,
    ) -> Decision:
        """Decide what follows a failure.

        Args:
            trial: its id.
            kind: of the failure.
            saved: how far the trial is on storage: nodes of its path that are done, and steps kept of the next one.
            node: on which it ran; None if that is not known.
            is_storage_in_trouble: whether storage cannot be written to now.
            has_smaller: whether a smaller micro-batch is left to try.
        """
        if is_storage_in_trouble and kind != "killed":
            return AfterStorage()
        history = self._histories.setdefault(trial, _History())
        if saved > history.saved:
            history.saved, history.counts = saved, Counter()
        history.counts[kind] += 1
        answer = ANSWERS[kind].in_run
        match answer:
            case "again":
                if node is not None and kind != "damaged":
                    self._losses[node] += 1
                return self._within(self._again(kind), history.counts[kind])
            case "uncounted":
                number = history.counts[kind]
                return Again(_pause_s(number), 0, 0, self.bad_nodes, preemptions=number)
            case "storage":
                return self._within(self._budgets.storage, history.counts[kind])
            case "smaller":
                return Again(0.0, history.counts[kind], history.counts[kind]) if has_smaller else GivenUp()
            case "never":
                return GivenUp()
            case _:
                assert_never(answer)

    def _again(self, kind: FailureKind) -> int:
        match kind:
            case "lost":
                return self._budgets.lost
            case "hung":
                return self._budgets.hung
            case "damaged":
                return self._budgets.damaged
            case "preempted" | "memory" | "full" | "error" | "killed":
                return 0
            case _:
                assert_never(kind)

    def done(self, node: str | None) -> None:
        """Note that a trial was done on a node: whatever ailed the node has passed."""
        if node is not None:
            self._losses.pop(node, None)

    @property
    def bad_nodes(self) -> tuple[str, ...]:
        """Nodes on which attempts were lost again and again, sorted."""
        return tuple(sorted(node for node, losses in self._losses.items() if losses >= BAD_NODE_LOSSES))

    def _within(self, budget: int, number: int) -> Decision:
        if number > budget:
            return GivenUp(budget)
        return Again(_pause_s(number), number, budget, self.bad_nodes)


def _pause_s(number: int) -> float:
    """Return the seconds before the first (1), second, ... attempt in a row without progress."""
    return AFTER_S[min(number, len(AFTER_S)) - 1]
