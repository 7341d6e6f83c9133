"""Compare a study with what storage holds of it: the difference that a run is going to make up.

The study file is the desired state. Nothing is kept of its earlier versions for this: what a trial was is read from the
task of its last attempt, and only of trials that are neither new nor done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, assert_never

from orchestrator.state.causes import Cause, changed_fields, why_attempt_differs, why_scores_differ
from orchestrator.state.ledger import Ledger, TrialEntry
from search_spaces.error_text import first_line
from search_spaces.plan import Plan, PlannedTrial
from search_spaces.spec import TrialSpec
from search_spaces.typed import adapter
from trainables.storage import layout
from trainables.storage.record_files import read_or_drop
from trainables.storage.records import Attempt, TrialResult
from trainables.storage.store import Store

ChangeKind = Literal["new", "changed", "half-done", "failed", "running", "unchanged"]
"""How a trial of the study compares with storage.

- `new`: no run has started it.
- `changed`: it was started or finished as another: `causes` say in what.
- `half-done`: it was started as it is, and has not ended.
- `failed`: its last attempt left a failure.
- `running`: a run has it at this moment.
- `unchanged`: it is done.
"""

KINDS: tuple[ChangeKind, ...] = ("new", "changed", "half-done", "failed", "running", "unchanged")


_UNKNOWN = "what the trial was is not known"


@dataclass(frozen=True)
class TrialChange:
    """A trial of the study, compared with storage, and the work that it still needs."""

    id: str
    arm: str
    seed: int
    kind: ChangeKind
    causes: tuple[Cause, ...] = ()
    """Of `changed`: in what it was another."""
    failure: str | None = None
    """Of `failed`: kind and first line of the message."""
    replaces: str | None = None
    """Id of the trial that had its arm and seed before its definition changed."""
    is_run: bool = False
    """Whether this run takes it up; else it is done, was not selected, or is left alone."""
    left_alone: str | None = None
    """Why it is not tried again by itself, of a failed one."""
    features: tuple[str, ...] = ()
    """Ids of the features that it needs and that are not there."""
    stages: tuple[str, ...] = ()
    """Ids of the stages that are to be trained for it, in order."""
    evaluations: tuple[str, ...] = ()
    """Names of what is to be scored."""


@dataclass(frozen=True)
class GoneTrial:
    """A trial that storage holds and the study no longer has."""

    id: str
    arm: str
    seed: int | None
    """None where nothing tells it."""


@dataclass(frozen=True)
class Amount:
    """Amount of work. What several trials share counts once."""

    trials: int
    features: int
    stages: int
    steps: int
    """Optimizer steps, of stages whose steps are known."""
    evaluations: int


@dataclass(frozen=True)
class Difference:
    """A study compared with storage."""

    study: str
    trials: tuple[TrialChange, ...]
    """All of the study, in plan order."""
    gone: tuple[GoneTrial, ...]
    """Kept on storage, and shown by no report."""
    gone_benchmarks: tuple[str, ...]
    """Scored in an earlier version of the study, and no longer asked for."""
    todo: Amount
    """What this run does."""
    kept: Amount
    """What it finds done; `steps` include those of checkpoints that stages go on from."""
    kept_steps: Mapping[str, int]
    """Id of a stage -> steps of its checkpoint, for the stages that go on from one."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do and nothing to tell."""
        return all(trial.kind == "unchanged" for trial in self.trials) and not self.gone and not self.gone_benchmarks

    def counts(self) -> dict[ChangeKind, int]:
        """Count the trials of each kind; every kind is there."""
        return {kind: sum(trial.kind == kind for trial in self.trials) for kind in KINDS}


def compare(
    plan: Plan, ledger: Ledger, store: Store, run: Collection[str], left_alone: Mapping[str, str] | None = None
) -> Difference:
    """Compare a plan with what storage holds of its study.

    Args:
        plan: of the whole study.
        ledger: of the plan.
        store: where tasks of earlier attempts are.
        run: ids of the trials that are taken up, if they are not done.
        left_alone: failed trials that are not tried again by themselves, and why.
    """
    reasons = left_alone or {}
    changes = tuple(
        _change(plan, trial, ledger, store, trial.id in run and trial.id not in reasons, reasons.get(trial.id))
        for trial in plan.trials
    )
    gone = _gone(plan, ledger, store)
    changes = _redefined(plan, changes, gone)
    replaced = {change.replaces for change in changes}
    return Difference(
        study=plan.study,
        trials=changes,
        gone=tuple(trial for trial, _ in gone.values() if trial.id not in replaced),
        gone_benchmarks=_gone_benchmarks(plan, ledger),
        todo=_amount(plan, (change for change in changes if change.is_run), ledger),
        kept=_kept(plan, ledger),
        kept_steps=ledger.kept_steps,
    )


def difference_json(difference: Difference) -> dict[str, Any]:
    """Turn a difference into plain values; of trials that are unchanged only their number."""
    plain = asdict(difference)
    plain["counts"] = difference.counts()
    plain["trials"] = [trial for trial in plain["trials"] if trial["kind"] != "unchanged"]
    return plain


def _change(
    plan: Plan, trial: PlannedTrial, ledger: Ledger, store: Store, is_run: bool, left_alone: str | None
) -> TrialChange:
    entry = ledger.trials[trial.id]
    kind, causes = _kind(plan, trial, entry, store)
    change = TrialChange(trial.id, trial.arm, trial.seed, kind, causes)
    if kind == "unchanged":
        return change
    nodes = [plan.nodes[name] for name in trial.path if name not in ledger.done_nodes]
    failure = entry.failure
    return replace(
        change,
        is_run=is_run,
        failure=None if failure is None else f"{failure.kind}: {first_line(failure.message)}",
        left_alone=left_alone,
        features=tuple(node.id for node in nodes if node.kind == "features"),
        stages=tuple(node.id for node in nodes if node.kind == "stage"),
        evaluations=tuple(asked.name for asked in plan.evaluation_sets if asked.name not in entry.scored),
    )


def _kind(plan: Plan, trial: PlannedTrial, entry: TrialEntry, store: Store) -> tuple[ChangeKind, tuple[Cause, ...]]:
    """Judge how a trial compares with storage, and find in what it was another."""
    match entry.state:
        case "done":
            return "unchanged", ()
        case "running":
            return "running", ()
        case "failed" | "changed" | "half-done" | "pending":
            pass
        case _:
            assert_never(entry.state)
    attempt = (
        read_or_drop(store, layout.trial_task(plan.study, trial.id), Attempt, _UNKNOWN) if entry.is_attempted else None
    )
    if entry.result is not None:
        causes = why_scores_differ(plan, entry, attempt, store)
    else:
        causes = () if attempt is None else why_attempt_differs(plan, trial, attempt)
    if entry.state == "failed":
        return "failed", causes
    if causes or entry.state == "changed":
        return "changed", causes
    return ("half-done", ()) if attempt is not None else ("new", ())


def _amount(plan: Plan, changes: Iterable[TrialChange], ledger: Ledger) -> Amount:
    changes = list(changes)
    stages = {stage for change in changes for stage in change.stages}
    return Amount(
        trials=len(changes),
        features=len({name for change in changes for name in change.features}),
        stages=len(stages),
        steps=sum(max((plan.nodes[stage].steps or 0) - ledger.kept_steps.get(stage, 0), 0) for stage in stages),
        evaluations=sum(len(change.evaluations) for change in changes),
    )


def _kept(plan: Plan, ledger: Ledger) -> Amount:
    done = [node for node in plan.nodes.values() if node.id in ledger.done_nodes]
    stages = [node for node in done if node.kind == "stage"]
    return Amount(
        trials=ledger.counts()["done"],
        features=sum(node.kind == "features" for node in done),
        stages=len(stages),
        steps=sum(node.steps or 0 for node in stages) + sum(ledger.kept_steps.values()),
        evaluations=sum(len(entry.scored) for entry in ledger.trials.values()),
    )


def _gone(plan: Plan, ledger: Ledger, store: Store) -> dict[str, tuple[GoneTrial, Attempt | None]]:
    """Read the trials that storage holds and the plan does not, by their ids."""
    gone = {}
    for name in ledger.removed:
        attempt = read_or_drop(store, layout.trial_task(plan.study, name), Attempt, _UNKNOWN)
        spec = attempt.trial if attempt is not None else {}
        arm = attempt.arm if attempt is not None and attempt.arm else name
        gone[name] = GoneTrial(name, arm, spec.get("seed")), attempt
    return gone


def _redefined(
    plan: Plan, changes: Iterable[TrialChange], gone: Mapping[str, tuple[GoneTrial, Attempt | None]]
) -> tuple[TrialChange, ...]:
    """Mark new trials whose arm and seed were another configuration on storage as changed."""
    before = {(trial.arm, trial.seed): (trial.id, attempt) for trial, attempt in gone.values() if attempt is not None}
    specs = {trial.id: trial.spec for trial in plan.trials}
    redefined = []
    for change in changes:
        replaced = before.get((change.arm, change.seed))
        if change.kind == "new" and replaced is not None:
            name, attempt = replaced
            fields = changed_fields(attempt.trial, adapter(TrialSpec).dump_python(specs[change.id], mode="json"))
            change = replace(change, kind="changed", causes=(Cause("definition", fields),), replaces=name)
        redefined.append(change)
    return tuple(redefined)


def _gone_benchmarks(plan: Plan, ledger: Ledger) -> tuple[str, ...]:
    asked = {benchmark.id for benchmark in plan.evaluation_sets}
    results: list[TrialResult] = [entry.result for entry in ledger.trials.values() if entry.result is not None]
    scored = {name.partition("@")[0] for result in results for name in result.evaluations}
    return tuple(sorted(scored - asked))
