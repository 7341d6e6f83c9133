"""Prepare the base trial of the quickstart, or of another shipped study, on a storage of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.planning.preflight import preflight
from orchestrator.running.tasks import make_task
from search_spaces.expansion.expand import expand_study, plan_expansion
from search_spaces.plan import Plan
from search_spaces.study_files import load_study
from trainables.storage.store import LocalStore
from trainables.task import TrialTask


def base_task(storage: Path, *overrides: str, study: str = "quickstart") -> TrialTask:
    """Prepare the task of the base arm with its first seed.

    Args:
        storage: root of the storage; data folder, too.
        *overrides: changes to the study, as `--set` takes them.
        study: name of a shipped study.
    """
    plan, digests = _planned(study, storage, overrides)
    return make_task(plan, plan.trials[0], digests, storage, storage)


def with_resources(task: TrialTask, **fields: Any) -> TrialTask:
    """Replace fields of the resources of all stages of a task."""
    stages = tuple(
        stage.model_copy(update={"resources": stage.resources.model_copy(update=fields)}) for stage in task.stages
    )
    return task.model_copy(update={"stages": stages})


def _planned(study_name: str, storage: Path, overrides: Sequence[str]) -> tuple[Plan, dict[str, str]]:
    """Plan the study with its keys; return the digests, too."""
    study = load_study(study_name, overrides)
    expansion = expand_study(study)
    known = preflight(expansion.specs(), expansion.evaluation_sets, LocalStore(storage), storage, print)
    return plan_expansion(expansion, digests=known.digests, counts=known.counts), known.digests
