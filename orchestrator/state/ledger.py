"""Read the state of every trial and node of a plan from storage, and not from Ray or a tracking server.

Reading costs one listing of the study's folder and of the leases, and a few look-ups per node and finished trial; a
record of finished trials (`orchestrator.state.finished_trials`) saves opening files that are as they were. Nothing is
kept between two reads, so a ledger is as true as the moment it was read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from orchestrator.state.finished_trials import FinishedReader
from orchestrator.state.losses import Loss, lost_nodes, needed_again, node_losses, say
from orchestrator.state.stored_evaluations import StoredEvaluations, read_evaluations
from orchestrator.state.stored_nodes import StoredNodes, read_nodes
from orchestrator.state.trial_records import NO_FAILURE, RESULT_AGAIN, TrialRecords
from search_spaces.errors import InputError
from search_spaces.identity import Memo
from search_spaces.plan import Plan, PlannedTrial
from trainables.storage import layout
from trainables.storage.artifacts import Depth, verify_examples
from trainables.storage.lease import LEASE_SILENCE_S
from trainables.storage.owner import Owner
from trainables.storage.records import EvaluationResult, Failure, TrialResult
from trainables.storage.store import Store

TrialState = Literal["done", "running", "failed", "changed", "half-done", "pending"]

STATES: tuple[TrialState, ...] = ("done", "running", "failed", "changed", "half-done", "pending")


@dataclass(frozen=True)
class TrialEntry:
    """One trial of the plan, as storage shows it."""

    id: str
    arm: str
    seed: int
    state: TrialState
    result: TrialResult | None = None
    """Of `done`; also of other states where an earlier run with the same stage keys left one."""
    failure: Failure | None = None
    """Only of `failed`."""
    working: str | None = None
    """Only of `running`: id of the node it is at, the first on its path that is not done."""
    owner: Owner | None = None
    """Only of `running`: the run that has it."""
    silent_s: float = 0.0
    """Only of `running`: for how many seconds that run has given no sign of life, where it should have."""
    waits_for: str | None = None
    """Id of the first node it needs that is being produced for another trial, maybe of another study."""
    is_attempted: bool = False
    """Whether a run has started it, this or an earlier one, whatever became of it."""
    scored: tuple[str, ...] = ()
    """Names of the plan's evaluation sets that have a result of its weights with whole scores per example, also before
    the trial itself has a result."""
    failures_before: int = 0
    """Failed attempts that were followed by another one; `orchestrator.state.failures` reads them."""

    def is_scored_by(self, plan: Plan) -> bool:
        """Check whether all that the plan asks of the trained model has a result."""
        return all(asked.name in self.scored for asked in plan.evaluation_sets)

    @property
    def is_diverged(self) -> bool:
        """Whether the trial has a result, and it diverged."""
        return self.result is not None and self.result.diverged


@dataclass(frozen=True)
class Ledger:
    """The state of every trial and node of a plan at the moment it was read."""

    trials: dict[str, TrialEntry]
    """Trial id -> entry, in plan order."""
    done_nodes: frozenset[str]
    """Ids of the nodes that need no work: features and stages with a result, whole or needed by nothing that is left to
    do, and evaluations and features whose trials are all done, be the features freed."""
    evaluations: StoredEvaluations
    """(trial, benchmark) -> result, for the plan's benchmarks. Nothing of a `changed` trial is in it."""
    samples: StoredEvaluations
    """The same of the plan's samples, which nothing compares."""
    blind: StoredEvaluations
    """(trial, name of what was asked) -> result, for the plan's blind run."""
    kept_steps: Mapping[str, int]
    """Id of a stage that is not done -> optimizer steps that its newest checkpoint holds; only those that have one."""
    removed: tuple[str, ...]
    """Trials found under this study that the plan does not have, sorted."""
    losses: tuple[Loss, ...] = ()
    """What is damaged, and what becomes of it."""
    kept: frozenset[str] = field(default=frozenset(), compare=False)
    """Ids of trials that `FinishedTrials` tells of: none of their files was opened."""

    @property
    def is_finished(self) -> bool:
        """Whether every trial is done."""
        return all(entry.state == "done" for entry in self.trials.values())

    def counts(self, selected: Collection[str] | None = None) -> dict[TrialState, int]:
        """Count the trials of each state; every state is there.

        Args:
            selected: ids of the trials that count; None for all.
        """
        counts = Counter(entry.state for entry in self.trials.values() if selected is None or entry.id in selected)
        return {state: counts[state] for state in STATES}


def read_ledger(
    plan: Plan, store: Store, depth: Depth = "shape", *, restores_weights: bool = False, from_files: bool = False
) -> Ledger:
    """Read the state of every trial and node of `plan` from storage.

    A trial is `done` if its result has the plan's stage keys and a result of every benchmark, and of the blind run
    where the study declares one (a diverged trial has none and needs none); `running` if a living run holds the lease
    on the trial; `failed` if it left a failure; `changed` if it has a result with other stage keys (data or weights
    changed since); `half-done` if something it needs is done or has a checkpoint; else `pending`. The first that holds
    counts.

    What is damaged counts as not there, and a warning says what becomes of it.

    Args:
        plan: of the study.
        store: the storage.
        depth: how much is read of the scores per example, to tell whether they are whole.
        restores_weights: whether a trial counts as half-done whose trained model is damaged, though it has its scores.
        from_files: whether every file is opened, also of trials that `FinishedTrials` tells of.
    """
    files = set(store.list(layout.study_folder(plan.study)))
    failures_before = Counter(name.rpartition("/")[0] for name in files)
    leases = store.leases()
    kept = FinishedReader(plan, store).read() if depth == "shape" and not (from_files or restores_weights) else {}
    nodes = read_nodes(plan, store, leases, kept.keys())
    evaluations, samples, blind = StoredEvaluations(store), StoredEvaluations(store), StoredEvaluations(store)
    memo = Memo()
    entries: dict[str, TrialEntry] = {}
    records = TrialRecords(store, depth)
    for trial in plan.trials:
        result, scores, scored = kept.get(trial.id), dict[str, EvaluationResult | str](), tuple[str, ...]()
        if result is not None:
            scores |= result.evaluations
            scored = tuple(asked.name for asked in plan.evaluation_sets)
        else:
            result = records.read(layout.trial_result(plan.study, trial.id), TrialResult, RESULT_AGAIN, files)
            same = result if result is not None and _has_plan_keys(plan, trial, result) else None
            read = read_evaluations(plan, trial, same, nodes, records, memo)
            scores |= read
            scored = tuple(name for name, evaluation in read.items() if records.is_whole(evaluation))
        if result is not None and _has_plan_keys(plan, trial, result):
            evaluations.add(trial.id, {asked.id: asked.name for asked in plan.benchmarks}, scores)
            samples.add(trial.id, {sample.id: sample.name for sample in plan.samples}, scores)
            blind.add(trial.id, {asked.name: asked.name for asked in plan.blind.sets}, scores)
        lease = layout.trial_lease(plan.study, trial.id)
        owner = store.lease_owner(lease) if lease in leases else None
        failure = records.read(layout.trial_failure(plan.study, trial.id), Failure, NO_FAILURE, files)
        is_attempted = layout.trial_task(plan.study, trial.id) in files
        aside = failures_before[layout.trial_attempts(plan.study, trial.id)]
        entry = _entry(plan, trial, nodes, result, scored, owner, failure, is_attempted, aside)
        if restores_weights and entry.state == "done" and lost_nodes(plan, trial, store, is_scored=False):
            entry = replace(entry, state="half-done")
        if entry.state == "running" and (silent_s := store.lease_silence_s(lease)) > LEASE_SILENCE_S:
            entry = replace(entry, silent_s=silent_s)
        entries[trial.id] = entry
    finished = {trial for trial, entry in entries.items() if entry.state == "done"}
    unneeded = {node.id for node in plan.nodes.values() if node.kind != "stage" and finished.issuperset(node.trials)}
    open_trials = {
        name: entry.is_scored_by(plan) and not restores_weights
        for name, entry in entries.items()
        if entry.state != "done"
    }
    needed = needed_again(plan, open_trials, nodes, store)
    losses = (*node_losses(plan, nodes, needed, open_trials), *records.losses)
    say(losses)
    done = nodes.done | (nodes.damaged.keys() - needed) | unneeded
    removed = _removed(plan, files)
    return Ledger(entries, done, evaluations, samples, blind, nodes.kept_steps, removed, losses, frozenset(kept))


def has_changed_scores(ledger: Ledger, store: Store) -> bool:
    """Tell whether scores of a ledger have other bytes than were written: all are read, once per process and file.

    A result that cannot be read is one, too: `FinishedTrials` tells of results by size and time, and opens none.
    """
    try:
        results = (*ledger.evaluations.values(), *ledger.samples.values(), *ledger.blind.values())
    except InputError:
        return True
    return any(verify_examples(store, result, "content").damages for result in results)


def gpu_seconds(ledger: Ledger) -> float:
    """Sum the GPU-seconds that the trials of a study have spent: every worker counts where there is no GPU."""
    return sum(seconds for seconds in gpu_seconds_by_trial(ledger).values() if seconds is not None)


def gpu_seconds_by_trial(ledger: Ledger) -> dict[str, float | None]:
    """Map every trial to the GPU-seconds that it has spent; None where it has no result."""
    return {
        name: None if entry.result is None else entry.result.cost.gpu_seconds for name, entry in ledger.trials.items()
    }


def _entry(
    plan: Plan,
    trial: PlannedTrial,
    nodes: StoredNodes,
    result: TrialResult | None,
    scored: tuple[str, ...],
    owner: Owner | None,
    failure: Failure | None,
    is_attempted: bool,
    failures_before: int,
) -> TrialEntry:
    """Judge the state of a trial by what storage holds of it.

    Args:
        plan: of the study.
        trial: of the plan.
        nodes: of the plan, as storage holds them.
        result: of the trial, maybe of other stages than the plan's.
        scored: names of the plan's evaluation sets that have a result.
        owner: the run that has the trial.
        failure: what the trial left when it failed.
        is_attempted: whether a run has started it.
        failures_before: failed attempts that were followed by another one.
    """
    is_same = result is not None and _has_plan_keys(plan, trial, result)
    is_scored = all(required.name in scored for required in plan.required_sets)
    state = _state(
        is_done=result is not None and is_same and (result.diverged or is_scored),
        is_held=owner is not None,
        has_failed=failure is not None,
        is_changed=result is not None and not is_same,
        is_begun=is_same or any(node in nodes.done or node in nodes.kept_steps for node in trial.path),
    )
    is_running = state == "running"
    return TrialEntry(
        id=trial.id,
        arm=trial.arm,
        seed=trial.seed,
        state=state,
        result=result if is_same else None,
        failure=failure if state == "failed" else None,
        working=next((node for node in trial.path if node not in nodes.done), None) if is_running else None,
        owner=owner if is_running else None,
        scored=scored,
        waits_for=None if is_running else next((node for node in trial.path if node in nodes.produced), None),
        is_attempted=is_attempted,
        failures_before=failures_before,
    )


def _state(*, is_done: bool, is_held: bool, has_failed: bool, is_changed: bool, is_begun: bool) -> TrialState:
    if is_done:
        return "done"
    if is_held:
        return "running"
    if has_failed:
        return "failed"
    if is_changed:
        return "changed"
    return "half-done" if is_begun else "pending"


def _has_plan_keys(plan: Plan, trial: PlannedTrial, result: TrialResult) -> bool:
    """Return whether the result's stage keys are the plan's, as far as the plan knows them."""
    planned = [node.key for node in trial.stage_nodes(plan)]
    return len(planned) == len(result.stages) and all(
        key is None or key == stored for key, stored in zip(planned, result.stages, strict=True)
    )


def _removed(plan: Plan, files: set[str]) -> tuple[str, ...]:
    prefix = layout.study_folder(plan.study) + "/trials/"
    planned = {trial.id for trial in plan.trials} | plan.others
    stored = {name[len(prefix) :].split("/", 1)[0] for name in files if name.startswith(prefix)}
    return tuple(sorted(stored - planned))
