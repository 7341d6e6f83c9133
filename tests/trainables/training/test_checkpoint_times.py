"""Claims about trainables/training/checkpoint_times.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, chain, repeat

import pytest

from search_spaces.resource_spec import ResourceSpec
from trainables.training.checkpoint_times import CheckpointTimes

MINUTE_S = 60.0


class Group:
    """Ranks with clocks of their own; counts how often they ask rank 0."""

    def __init__(self, resources: ResourceSpec, skews_s: Sequence[float] = (0.0,)):
        self.now, self.asked, self._answer = 0.0, 0, 0
        self.ranks = [
            CheckpointTimes(
                resources, self._from_rank_0 if rank == 0 else lambda look: self._answer, lambda s=skew: self.now + s
            )
            for rank, skew in enumerate(skews_s)
        ]

    def _from_rank_0(self, look: Callable[[], int]) -> int:
        self.asked, self._answer = self.asked + 1, look()
        return self._answer

    def train(self, seconds: Sequence[float]) -> dict[int, float]:
        """Train steps of so many seconds; returns step -> time of its checkpoint."""
        written = {}
        for step, now in enumerate(accumulate(seconds), 1):
            self.now = now
            due = [rank.is_due(step) for rank in self.ranks]
            assert len(set(due)) == 1, "the ranks must agree"
            if due[0]:
                written[step] = now
                for rank in self.ranks:
                    rank.written()
        return written


def resources(steps: int = 10**9, minutes: float = 10.0) -> ResourceSpec:
    return ResourceSpec(checkpoint_every_steps=steps, checkpoint_every_minutes=minutes)


def test_is_due_by_steps_whatever_the_clock_says() -> None:
    assert list(Group(resources(steps=4)).train([1e-3] * 10)) == [4, 8]


def test_is_due_by_time_and_the_ranks_ask_one_another_a_few_times_a_period() -> None:
    group = Group(resources(), skews_s=(0.0, 90.0))
    written = group.train([0.05] * 36_100)  # half an hour
    assert list(written.values()) == pytest.approx([10 * MINUTE_S, 20 * MINUTE_S, 30 * MINUTE_S], abs=1.0)
    assert group.asked <= 3 * 40, "not 36,100 times"


def test_is_due_after_every_step_that_is_longer_than_the_period() -> None:
    assert list(Group(resources(minutes=1)).train([61.0] * 3)) == [1, 2, 3]


def test_is_due_steps_that_become_ten_times_slower_delay_a_checkpoint_by_a_period_at_most() -> None:
    seconds = chain(repeat(0.05, 3_000), repeat(0.5, 3_000))  # after 150 s
    first = min(Group(resources()).train([*seconds]).values())
    assert 10 * MINUTE_S <= first <= 20 * MINUTE_S
