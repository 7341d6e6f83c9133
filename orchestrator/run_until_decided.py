"""Run a study with more and more seeds until its hypotheses are decided: the path of `ablate run --until-decided`.

Each step adds seeds (`analysis.next_seeds` has the rule), writes them down on storage, runs the study with them, and
looks at the verdicts once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rich.console import Console

from orchestrator.analysis.next_seeds import DEFAULT_STEPS, Fate, decide
from orchestrator.analysis.open_claims import claim_states, trial_costs
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.planning.named_study import named_study
from orchestrator.planning.planned import RunOptions, expand, plan
from orchestrator.planning.preflight import known_digests
from orchestrator.reporting.step_lines import Budget, left_line, step_lines
from orchestrator.run_study import StudyRun, run_study
from orchestrator.state.added_seeds import AddedSeeds, SeedStep, read_added, write_added
from orchestrator.state.claims import claim_keys, read_claims
from orchestrator.state.ledger import gpu_seconds, read_ledger
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from search_spaces.study import Study
from trainables.storage.probe import require_capable
from trainables.storage.store import LocalStore, Store


@dataclass(frozen=True)
class Limits:
    """How far seeds are added."""

    gpu_hours: float = math.inf
    """Most that may be spent from the first use of `--until-decided` on."""
    steps: Sequence[int] = DEFAULT_STEPS
    """Numbers of seeds at which hypotheses that declare no looks are looked at."""


@dataclass(frozen=True)
class DecidedRun:
    """What a run with added seeds came to."""

    last: StudyRun
    is_out_of_budget: bool
    """Whether trials, or claims that more seeds may decide, are left for want of GPU-hours."""


def run_until_decided(
    name: str,
    options: RunOptions,
    limits: Limits,
    console: Console,
    run_once: Callable[[str, RunOptions, Console], StudyRun] = run_study,
) -> DecidedRun:
    """Run a study, and add seeds to the arms of open hypotheses until none is left that more of them may decide.

    Args:
        name: a study file, or the name of a study that ships.
        options: of the command line.
        limits: of the seeds.
        console: where progress and the decision of each step are shown.
        run_once: does what is left of the study with the seeds that are there.

    Raises:
        InputError: what is wrong with the study, before anything runs.
    """
    store = LocalStore(options.plan.storage)
    require_capable(store.root)
    study, planned = _planned(name, options)
    added, spent_s = _begun(planned, store)
    if study.budget.gpu_hours is not None and math.isinf(limits.gpu_hours):
        limits = replace(limits, gpu_hours=max(0.0, study.budget.gpu_hours - added.gpu_seconds_before / 3600))
    told: dict[str, Fate] = {}
    while True:
        left_s = limits.gpu_hours * 3600 + added.gpu_seconds_before - spent_s
        run = run_once(name, replace(options, gpu_seconds_left=left_s, up_to_seeds=max(limits.steps)), console)
        spent_s = gpu_seconds(run.ledger)
        budget = Budget((spent_s - added.gpu_seconds_before) / 3600, limits.gpu_hours, run.report.device)
        if run.stopped_by is not None:
            return DecidedRun(run, is_out_of_budget=False)
        if not run.ledger.is_finished:
            is_out_of_budget = run.outcomes is not None and run.outcomes.budget_spent
            if is_out_of_budget:
                console.print(left_line(run.ledger.counts(), budget), soft_wrap=True)
            return DecidedRun(run, is_out_of_budget)
        left_s = limits.gpu_hours * 3600 + added.gpu_seconds_before - spent_s
        verdicts = run.report.verdicts.verdicts
        scored = StudyScores.of(run.plan, store, run.ledger)
        claims = claim_states(run.study, run.plan, scored, verdicts, limits.steps, _planned_seeds(run, store))
        decision = decide(claims, run.plan.seeds_by_arm(), trial_costs(run.plan, run.ledger).__getitem__, left_s)
        for line in step_lines(len(added.steps) + 1, decision, claims, verdicts, budget, told):
            console.print(line, soft_wrap=True)
        told |= decision.fates
        if decision.is_last:
            return DecidedRun(run, decision.is_out_of_budget)
        added = added.with_step(SeedStep(decision.served, decision.seeds))
        write_added(store, run.plan.study, added)


def _planned(name: str, options: RunOptions) -> tuple[Study, Plan]:
    """Read a study and plan it as storage knows it, and refuse what has no claim to decide."""
    study = named_study(name, options.plan.storage, options.plan.overrides)
    if not study.hypotheses:
        law = "a study must have hypotheses to be run until they are decided, but it has none"
        raise study.problem(("hypotheses",), law)
    if options.plan.limit is not None:
        raise InputError("must be left out with --until-decided: seeds are added to arms, not to trials", key="--limit")
    if options.only:
        raise InputError("must be left out with --until-decided: claims choose the arms that get seeds", key="--only")
    known = known_digests(LocalStore(options.plan.storage))
    return study, plan(expand(study, options.plan), options.plan, known)


def _begun(planned: Plan, store: Store) -> tuple[AddedSeeds, float]:
    """Read what was added so far, or write down that seeds are going to be added; with the GPU-seconds spent so far."""
    spent_s = gpu_seconds(read_ledger(planned, store))
    added = read_added(store, planned.study)
    if added is None:
        added = AddedSeeds(spent_s)
        write_added(store, planned.study, added)
    return added, spent_s


def _planned_seeds(run: StudyRun, store: Store) -> dict[str, int]:
    """Map every hypothesis to the seeds that were planned before there were scores; those it has where none were."""
    written = read_claims(store, run.plan.study)
    keys = claim_keys(run.study, run.plan)
    return {
        verdict.id: written[keys[verdict.id].claim].seeds if keys[verdict.id].claim in written else verdict.n_seeds
        for verdict in run.report.verdicts.verdicts
    }
