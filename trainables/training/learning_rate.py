"""Compute learning-rate schedules: the factor on the peak rate, a pure function of the step."""

from __future__ import annotations

import math
from typing import assert_never

from search_spaces.spec import ScheduleSpec


def warmup_steps(schedule: ScheduleSpec, steps: int) -> int:
    """Count the steps of linear warm-up of `steps`; never all of them, so that the peak is reached."""
    wanted = schedule.warmup_steps or 0
    if schedule.warmup_ratio is not None:
        wanted = int(schedule.warmup_ratio * steps)
    return min(wanted, steps - 1)


def factor(schedule: ScheduleSpec, step: int, steps: int) -> float:
    """Compute the factor on the peak learning rate, 0 to 1.

    The warm-up of w steps rises from 1/w to 1. After it `cosine` falls to 0 along half a wave, `constant` stays, and
    `wsd` (warmup-stable-decay) stays until its last `decay_ratio` of the steps and falls to 0 linearly.

    Args:
        schedule: kind of the schedule and its warm-up.
        step: optimizer step, from 0.
        steps: optimizer steps of the stage.
    """
    warmup = warmup_steps(schedule, steps)
    if step < warmup:
        return (step + 1) / warmup
    match schedule.kind:
        case "constant":
            return 1.0
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))
        case "wsd":
            decay = max(1, math.ceil(schedule.decay_ratio * steps))
            return min(1.0, (steps - step) / decay)
        case _:
            assert_never(schedule.kind)
