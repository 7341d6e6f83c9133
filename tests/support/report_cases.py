"""Reports for tests of the views: a finished study with claims, and one in which every state of a cell occurs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from orchestrator.reporting.build import build_report
from orchestrator.reporting.report_model import Report
from search_spaces.plan import Exclusion, Plan
from search_spaces.study import Hypothesis
from tests.support.stored_studies import (
    answers,
    fail_trial,
    finish_trial,
    noisy_answers,
    study_of,
    trial_of,
    two_stage_plan,
)
from trainables.storage.store import LocalStore

ACCURACIES = {"base": (0.90, 0.60), "resolution=32px": (0.90, 0.61), "resolution=16px": (0.50, 0.60)}
CLAIMS = (
    Hypothesis(
        id="smaller", claim="Small pictures hide shapes", pairs=(("base", "resolution=16px"),), on=("shape",),
        expect="worse",
    ),
    Hypothesis(
        id="half", claim="Half the resolution is better", pairs=(("base", "resolution=32px"),), expect="better"
    ),
    Hypothesis(
        id="higher", claim="Small pictures help", pairs=(("base", "resolution=16px"),), on=("shape",), expect="better"
    ),
)  # fmt: skip


def scores(arm: str, seed: int, plan: Plan) -> dict[str, np.ndarray]:
    """Simulate scores by benchmark, with a little noise by seed and the same hard examples for all arms."""
    return noisy_answers(ACCURACIES, arm, seed, benchmarks=[benchmark.id for benchmark in plan.benchmarks])


def finished(store: LocalStore, order: Callable[[list[int]], list[int]] = list) -> Report:
    """Write a finished study with three claims (one holds, one is open, one does not), trials in this order."""
    plan = two_stage_plan(seeds=(7, 8, 9))
    for i in order(list(range(len(plan.trials)))):
        trial = plan.trials[i]
        finish_trial(store, plan, trial, scores(trial.arm, trial.seed, plan))
    return build_report(study_of(*CLAIMS), plan, store)


def under_way(store: LocalStore) -> Report:
    """Write a study under way: a missing, a failed and a diverged trial, an excluded arm, no signal."""
    plan = replace(two_stage_plan(), excluded=(Exclusion("resolution=8px", "too small for a patch"),))
    finish_trial(store, plan, trial_of(plan, "base", 7), scores("base", 7, plan), constant=("colour",))
    fail_trial(store, plan, trial_of(plan, "resolution=32px", 7), "CUDA is gone")
    finish_trial(store, plan, trial_of(plan, "resolution=16px", 7), {}, diverged=True)
    gone = replace(plan, trials=(replace(plan.trials[0], id="gone-s7"),))
    finish_trial(store, gone, gone.trials[0], {"shape": answers(0.5), "colour": answers(0.5)})
    store.put("studies/small/superseded/r64-s8-0123456789ab-1700000000/spec.json", b"{}")
    return build_report(study_of(*CLAIMS), plan, store)


def unstarted(store: LocalStore) -> Report:
    """Build the report of a study of which nothing has run."""
    return build_report(study_of(*CLAIMS), two_stage_plan(), store)


HOSTILE = '<script>alert("1")</script> & 50 % of #1_a $x^2$ {b}~\\'
"""A name that means something to HTML, LaTeX and CSV."""


def hostile(store: LocalStore) -> Report:
    """Write a study whose arms, benchmarks, claims and failures have a name that every format must escape."""
    plan = two_stage_plan()
    renamed = {"resolution=16px": HOSTILE}
    arms = tuple(
        replace(arm, name=renamed.get(arm.name, arm.name), values={"resolution": renamed.get(arm.name, "64px")})
        for arm in plan.arms
    )
    trials = tuple(replace(trial, arm=renamed.get(trial.arm, trial.arm)) for trial in plan.trials)
    benchmarks = (plan.benchmarks[0], plan.benchmarks[1].model_copy(update={"id": "b_i+1"}))
    plan = replace(plan, arms=arms, trials=trials, benchmarks=benchmarks, question=HOSTILE)
    for trial in plan.trials:
        accuracies = {benchmark.id: answers(0.5 + 0.1 * (trial.arm == HOSTILE), trial.seed) for benchmark in benchmarks}
        if (trial.arm, trial.seed) == ("resolution=32px", 8):
            fail_trial(store, plan, trial, HOSTILE)
        else:
            finish_trial(store, plan, trial, accuracies)
    claim = Hypothesis(id="h", claim=HOSTILE, pairs=(("base", HOSTILE),), expect="better")
    return build_report(study_of(claim), plan, store)


CASES = {"finished": finished, "under way": under_way, "unstarted": unstarted, "hostile": hostile}
