"""Choose the settings of a run from the command line, the study and its plan."""

from __future__ import annotations

import math

from orchestrator.planning.planned import RunOptions
from orchestrator.running.attempts import RunSettings
from orchestrator.running.retry_policy import Budgets
from orchestrator.running.tasks import largest_write
from search_spaces.plan import Plan
from search_spaces.study import Study
from search_spaces.worker_contract import LauncherName


def chosen_interface(study: Study, options: RunOptions) -> str | None:
    """Return the network interfaces of a run: the command line's, else the study's; None where each host decides."""
    return options.interface or study.resources.interface


def gpu_hours_limit(study: Study, options: RunOptions) -> float | None:
    """Return the most GPU-hours that a study may spend in all: the command line's, else its own; None for no limit."""
    return study.budget.gpu_hours if options.max_gpu_hours is None else options.max_gpu_hours


def chosen_launcher(study: Study, options: RunOptions) -> LauncherName:
    """Return who starts the workers of a run: the command line's choice, else the study's."""
    return options.launcher or study.resources.launcher


def run_settings(study: Study, plan: Plan, options: RunOptions, spent_gpu_s: float = 0.0) -> RunSettings:
    """Turn the command line's options, and what the study says of its cluster, into the settings of a run.

    Args:
        study: as it was written.
        plan: of the trials that are run.
        options: of the command line.
        spent_gpu_s: GPU-seconds that the study has spent before this run.
    """
    most = gpu_hours_limit(study, options)
    left_s = math.inf if most is None else most * 3600 - spent_gpu_s
    return RunSettings(
        plan.study,
        launcher=chosen_launcher(study, options),
        interface=chosen_interface(study, options),
        max_concurrent=options.max_concurrent,
        gpu_seconds_left=min(left_s, options.gpu_seconds_left),
        budgets=Budgets(lost=options.retries),
        equal_failures=options.equal_failures,
        storage_patience_s=options.storage_patience_s,
        storage_bytes=largest_write(plan),
    )
