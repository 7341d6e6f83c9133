"""Decide when a step checkpoint is due, by steps or by rank 0's clock: the same on all ranks of a group. No torch.

That a checkpoint is due by steps every rank knows by itself. By time the ranks have to agree, which is a collective. So
rank 0 looks at its clock, and says at which step it will look again: the more time is left, the later. Ten looks a
period at least are planned, so that steps that become slower than they were delay a checkpoint by little.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from search_spaces.resource_spec import ResourceSpec

LOOKS_PER_PERIOD = 10
"""Looks at the clock between two checkpoints, at least, as long as steps are shorter than a tenth of the period."""


class CheckpointTimes:
    """When the checkpoints of a stage are due. All methods are called by all ranks together.

    Args:
        resources: of the stage.
        from_rank_0: returns what a look on rank 0 has returned (`process_group.from_rank_0`); a collective.
        clock: seconds, from any beginning.
    """

    def __init__(
        self,
        resources: ResourceSpec,
        from_rank_0: Callable[[Callable[[], int]], int],
        clock: Callable[[], float] = time.monotonic,
    ):
        self._every_steps, self._period_s = resources.checkpoint_every_steps, 60 * resources.checkpoint_every_minutes
        self._from_rank_0, self._clock = from_rank_0, clock
        self._written_at = clock()
        self._last_look: tuple[int, float] | None = None
        self._next_look = 0

    def is_due(self, step: int) -> bool:
        """Decide whether a checkpoint is to be written; `step`: optimizer steps that are done, one more each time."""
        return self._is_time(step) or step % self._every_steps == 0

    def written(self) -> None:
        """Note that a checkpoint was written just now."""
        self._written_at = self._clock()

    def _is_time(self, step: int) -> bool:
        if step < self._next_look:
            return False
        steps_ahead = self._from_rank_0(lambda: self._steps_until_next_look(step))
        self._next_look = step + max(1, steps_ahead)
        return steps_ahead == 0

    def _steps_until_next_look(self, step: int) -> int:
        """Return how many steps may pass by this rank's clock before it looks again; 0 if the period is over."""
        now = self._clock()
        left_s = self._written_at + self._period_s - now
        last_step, looked_at = self._last_look or (step - 1, self._written_at)
        self._last_look = (step, now)
        if left_s <= 0:
            return 0
        step_s = (now - looked_at) / max(1, step - last_step)
        return max(1, int(min(left_s / 2, self._period_s / LOOKS_PER_PERIOD) / max(step_s, 1e-6)))
