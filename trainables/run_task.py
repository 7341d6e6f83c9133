"""Run what a worker is given: a trial, or the rehearsal of one."""

from __future__ import annotations

from collections.abc import Iterator

from search_spaces.outcomes import Progress
from trainables.rehearsal import rehearse
from trainables.run_trial import run_trial
from trainables.task import Context, TrialTask


def run_task(task: TrialTask, context: Context) -> Iterator[Progress]:
    """Run a trial, or rehearse it if its task says so; yields what `run_trial` yields."""
    return run_trial(task, context) if task.rehearses_with is None else rehearse(task, context)
