"""Read the state of every trial and node of a plan from storage, and not from Ray or a tracking server.

Reading costs one listing of the study's folder and of the leases, and a few look-ups per node and finished trial.
Nothing is kept between two reads, so a ledger is as true as the moment it was read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, assert_never

from search_spaces.identity import needed_digests, source_name
from search_spaces.plan import Node, Plan, PlannedTrial
from search_spaces.spec import BenchmarkSpec
from trainables.evaluation.results import evaluation_key
from trainables.storage import layout
from trainables.storage.finished import finished_features, finished_stage
from trainables.storage.lease import Owner
from trainables.storage.record_files import read
from trainables.storage.records import EvaluationResult, Failure, FeaturesResult, StageResult, TrialResult
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
    waits_for: str | None = None
    """Id of the first node it needs that is being produced for another trial, maybe of another study."""

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
    """Ids of the nodes that need no work: features and stages with a result, evaluations whose trials are all done."""
    evaluations: dict[tuple[str, str], EvaluationResult]
    """(trial, benchmark) -> result, for the plan's benchmarks. Nothing of a `changed` trial is in it."""
    samples: dict[tuple[str, str], EvaluationResult]
    """The same of the plan's samples, which nothing compares."""
    blind: dict[tuple[str, str], EvaluationResult]
    """(trial, name of what was asked) -> result, for the plan's blind run."""
    removed: tuple[str, ...]
    """Trials found under this study that the plan does not have, sorted."""

    @property
    def is_finished(self) -> bool:
        """Whether every trial is done."""
        return all(entry.state == "done" for entry in self.trials.values())

    def counts(self) -> dict[TrialState, int]:
        """Count the trials of each state; every state is there."""
        counts = Counter(entry.state for entry in self.trials.values())
        return {state: counts[state] for state in STATES}


def read_ledger(plan: Plan, store: Store) -> Ledger:
    """Read the state of every trial and node of `plan` from storage.

    A trial is `done` if its result has the plan's stage keys and a result of every benchmark, and of the blind run
    where the study declares one (a diverged trial has none and needs none); `running` if a living run holds the lease
    on the trial; `failed` if it left a failure; `changed` if it has a result with other stage keys (data or weights
    changed since); `half-done` if something it needs is done or has a checkpoint; else `pending`. The first that holds
    counts.
    """
    files = set(store.list(layout.study_folder(plan.study)))
    leases = store.leases()
    nodes = _read_nodes(plan, store, leases)
    evaluations: dict[tuple[str, str], EvaluationResult] = {}
    samples: dict[tuple[str, str], EvaluationResult] = {}
    blind: dict[tuple[str, str], EvaluationResult] = {}
    entries: dict[str, TrialEntry] = {}
    for trial in plan.trials:
        result = _trial_result(plan, trial, store, files)
        is_same = result is not None and _has_plan_keys(plan, trial, result)
        scored = _evaluations(plan, trial, result, nodes, store) if result is not None and is_same else {}
        evaluations |= {
            (trial.id, benchmark.id): scored[benchmark.id] for benchmark in plan.benchmarks if benchmark.id in scored
        }
        samples |= {(trial.id, sample.id): scored[sample.id] for sample in plan.samples if sample.id in scored}
        blind |= {(trial.id, asked.name): scored[asked.name] for asked in plan.blind.sets if asked.name in scored}
        lease = layout.trial_lease(plan.study, trial.id)
        owner = store.lease_owner(lease) if lease in leases else None
        failure_name = layout.trial_failure(plan.study, trial.id)
        failure = read(store, failure_name, Failure) if failure_name in files else None
        entries[trial.id] = _entry(plan, trial, nodes, result, scored.keys(), owner, failure)
    finished = {trial for trial, entry in entries.items() if entry.state == "done"}
    evaluated = {
        node.id for node in plan.nodes.values() if node.kind == "evaluation" and finished.issuperset(node.trials)
    }
    return Ledger(entries, nodes.done | evaluated, evaluations, samples, blind, _removed(plan, files))


def gpu_seconds(ledger: Ledger) -> float:
    """Sum the GPU-seconds that the trials of a study have spent: every worker counts where there is no GPU."""
    return sum(entry.result.cost.gpu_seconds for entry in ledger.trials.values() if entry.result is not None)


@dataclass(frozen=True)
class _Nodes:
    """Ids of the plan's nodes by what storage holds of them."""

    done: frozenset[str]
    """With a result."""
    stages: Mapping[str, StageResult]
    """Id of a stage that is done -> its result."""
    produced: frozenset[str]
    """Leased by a living run."""
    resumable: frozenset[str]
    """Stages with a checkpoint."""


def _read_nodes(plan: Plan, store: Store, leases: set[str]) -> _Nodes:
    results = {node.id: result for node in plan.nodes.values() if (result := node_result(node, store)) is not None}
    done = frozenset(results)
    open_nodes = [node for node in plan.nodes.values() if node.id not in done]
    return _Nodes(
        done,
        {name: result for name, result in results.items() if isinstance(result, StageResult)},
        frozenset(n.id for n in open_nodes if n.key in leases and store.lease_owner(n.key) is not None),
        frozenset(n.id for n in open_nodes if n.kind == "stage" and _resumes(n, store)),
    )


def _entry(
    plan: Plan,
    trial: PlannedTrial,
    nodes: _Nodes,
    result: TrialResult | None,
    scored: Collection[str],
    owner: Owner | None,
    failure: Failure | None,
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
    """
    is_same = result is not None and _has_plan_keys(plan, trial, result)
    is_scored = all(required.name in scored for required in plan.required_sets)
    state = _state(
        is_done=result is not None and is_same and (result.diverged or is_scored),
        is_held=owner is not None,
        has_failed=failure is not None,
        is_changed=result is not None and not is_same,
        is_begun=is_same or any(node in nodes.done | nodes.resumable for node in trial.path),
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
        waits_for=None if is_running else next((node for node in trial.path if node in nodes.produced), None),
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


def node_result(node: Node, store: Store) -> StageResult | FeaturesResult | None:
    """Read the result of a stage or of features; None if there is none yet, or if only trials have results of it.

    Raises:
        InputError: if the result is there, but it or a file that it stands for is not whole: such a node is neither
            done nor to be done again.
    """
    if node.key is None:
        return None
    match node.kind:
        case "stage":
            return finished_stage(store, node.key)
        case "features":
            return finished_features(store, node.key)
        case "evaluation":
            return None
        case _:
            assert_never(node.kind)


def _resumes(node: Node, store: Store) -> bool:
    if node.key is None:
        return False
    folder = layout.checkpoints(node.key)
    if not store.exists(folder):
        return False
    steps = {name.removeprefix(f"{folder}/").split("/", 1)[0] for name in store.list(folder)}
    return any(not step.endswith(".aside") for step in steps)


def _trial_result(plan: Plan, trial: PlannedTrial, store: Store, files: set[str]) -> TrialResult | None:
    name = layout.trial_result(plan.study, trial.id)
    return read(store, name, TrialResult) if name in files else None


def _has_plan_keys(plan: Plan, trial: PlannedTrial, result: TrialResult) -> bool:
    """Return whether the result's stage keys are the plan's, as far as the plan knows them."""
    planned = [node.key for node in trial.stage_nodes(plan)]
    return len(planned) == len(result.stages) and all(
        key is None or key == stored for key, stored in zip(planned, result.stages, strict=True)
    )


def _evaluations(
    plan: Plan, trial: PlannedTrial, result: TrialResult, nodes: _Nodes, store: Store
) -> dict[str, EvaluationResult]:
    """Read the results of the plan's evaluation sets that are on storage, by their names.

    They are found by their keys, whatever the trial was scored on last: scores on other data, by another protocol or of
    another selection answer another question and do not count, and those of an earlier version of the study do again.
    Where the plan does not know the key, what the trial's result names is read.

    Args:
        plan: of the study.
        trial: of the plan.
        result: of the trial, with the plan's stage keys.
        nodes: of the plan, as storage holds them.
        store: the storage.
    """
    evaluations = {}
    for benchmark in plan.evaluation_sets:
        name = _planned_evaluation(plan, trial, benchmark, nodes) or result.evaluations.get(benchmark.name)
        evaluation = read(store, name, EvaluationResult) if name else None
        if evaluation is not None and plan.benchmark_keys.get(benchmark.name) in (None, evaluation.asked):
            evaluations[benchmark.name] = evaluation
    return evaluations


def _planned_evaluation(plan: Plan, trial: PlannedTrial, benchmark: BenchmarkSpec, nodes: _Nodes) -> str | None:
    """Name the result of an evaluation by its key; None where the plan does not know all that the key is made of."""
    results = [nodes.stages[node.id] for node in trial.stage_nodes(plan) if node.id in nodes.stages]
    needed = {source_name(benchmark.source), *needed_digests(trial.spec, len(trial.spec.stages) - 1)}
    if len(results) < len(trial.spec.stages) or not needed.issubset(plan.digests):
        return None
    return layout.evaluation_result(evaluation_key(trial.spec, plan.digests, benchmark, results), benchmark.name)


def _removed(plan: Plan, files: set[str]) -> tuple[str, ...]:
    prefix = layout.study_folder(plan.study) + "/trials/"
    planned = {trial.id for trial in plan.trials}
    stored = {name[len(prefix) :].split("/", 1)[0] for name in files if name.startswith(prefix)}
    return tuple(sorted(stored - planned))
