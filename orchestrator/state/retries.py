"""Decide which failed trials a run tries again by itself, and remember which failures it has tried again.

A cause may have gone where a process or its machine was lost, hung or killed, or where no space was left: such trials
are always tried again. What the trial's own code, data or memory caused is tried again once, as a disk or a library may
have failed for a moment. If the same failure comes again from the same program, data and resources, it is left alone:
`run --retry-failed` tries it again. A failure with a remedy, which the next attempt applies, is never left alone.
Nor is a trial that was not started because the rehearsal of its shape failed: the next run rehearses the shape.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.state.failure_answers import ANSWERS
from orchestrator.state.failures import signature
from orchestrator.state.ledger import Ledger
from orchestrator.state.program import program_fingerprint
from search_spaces.identity import fingerprint
from search_spaces.plan import Plan, PlannedTrial
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import Failure, TriedAgain
from trainables.storage.store import Store

WAY_OUT = "--retry-failed tries it again"


def left_alone(plan: Plan, ledger: Ledger, store: Store, code: Callable[[], str] | None = None) -> dict[str, str]:
    """Find the failed trials that have failed alike twice, from the same program, data and resources, and say so.

    Args:
        plan: of the study.
        ledger: of the plan.
        store: where it is remembered which failures were tried again.
        code: fingerprint of the program; default: of this one.
    """
    reasons = {}
    for trial in plan.trials:
        failure = ledger.trials[trial.id].failure
        if failure is None or failure.remedy or not _is_remembered(failure):
            continue
        before = read_or_redo(store, layout.tried_again(plan.study, trial.id), TriedAgain)
        if before == _attempt(plan, trial, failure, (code or program_fingerprint)()):
            reasons[trial.id] = f"failed twice alike, with the same program, data and resources; {WAY_OUT}"
    return reasons


def remember_retries(plan: Plan, ledger: Ledger, store: Store, code: Callable[[], str] | None = None) -> None:
    """Write down which failures are about to be tried again.

    Args:
        plan: of the trials that are taken up.
        ledger: of a plan that has them.
        store: where to.
        code: fingerprint of the program; default: of this one.
    """
    for trial in plan.trials:
        failure = ledger.trials[trial.id].failure
        if failure is not None and _is_remembered(failure):
            attempt = _attempt(plan, trial, failure, (code or program_fingerprint)())
            write(store, layout.tried_again(plan.study, trial.id), attempt)


def _is_remembered(failure: Failure) -> bool:
    """Tell whether the trial itself has failed, of a cause that is not likely to have gone."""
    return failure.shape is None and not ANSWERS[failure.kind].may_have_gone


def _attempt(plan: Plan, trial: PlannedTrial, failure: Failure, code: str) -> TriedAgain:
    """Describe a failure and what it came from."""
    arm = next(arm for arm in plan.arms if arm.name == trial.arm)
    stages = trial.stage_nodes(plan)
    task = {
        "stages": [node.key for node in stages],
        "resources": [arm.resources_of(node.name).model_dump(mode="json") for node in stages],
        "asked": {asked.name: plan.benchmark_keys.get(asked.name) for asked in plan.evaluation_sets},
    }
    return TriedAgain(failure.kind, signature(failure), fingerprint(task), code)
