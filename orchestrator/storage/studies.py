"""Give an overview of the studies that a storage holds: how far they are, who runs them, and what they take.

It is read from what every run leaves (its plan, its record, its leases), the results of trials and one walk over names
and sizes: no study file is needed, and neither weights nor scores are opened.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from orchestrator.state.runs import last_run, living_runs
from orchestrator.state.trial_records import NO_FAILURE, RESULT_AGAIN
from orchestrator.storage.references import StoredPlan, is_finished, planned_keys, studies_by_key
from search_spaces.errors import InputError
from trainables.storage import layout
from trainables.storage.inventory import Inventory, take_inventory
from trainables.storage.record_files import read, read_or_drop
from trainables.storage.records import Failure, RunRecord, TrialResult
from trainables.storage.store import Store

StudyState = Literal["running", "finished", "failed", "half-done", "unreadable"]
"""What a study is at.

- `running`: a run of it goes on.
- `finished`: every trial of its last plan is done.
- `failed`: it has failed trials, and nobody runs it.
- `half-done`: some trials are not done, and nobody runs it.
- `unreadable`: it has no plan that can be read; `problem` says why.
"""


@dataclass(frozen=True)
class StudyOverview:
    """A study on a storage."""

    study: str
    state: StudyState
    trials: int
    """Of its last plan."""
    done: int
    failed: int
    running: int
    gone: int
    """Trials on storage that its last plan does not have."""
    runs: tuple[str, ...]
    """Who runs it, where and since when, for people."""
    last: RunRecord | None
    """The run that began last; None where no record is left of it."""
    changed: float | None = None
    """When something that it refers to was last written, in seconds since the epoch."""
    size_bytes: int = 0
    """Of its own folder and of all stages, features and scores that it refers to."""
    exclusive_bytes: int = 0
    """The part of that which no other study refers to."""
    problem: str | None = None


@dataclass(frozen=True)
class StorageOverview:
    """The studies of a storage, those that run first, then the latest."""

    studies: tuple[StudyOverview, ...]
    referred_bytes: int
    """Of everything that some study refers to; what several share counts once."""
    size_bytes: int
    """Of everything on storage: also data, the tracking database, and what no study refers to."""


def overview(store: Store) -> StorageOverview:
    """Read what a storage holds of each study."""
    inventory, leases = take_inventory(store), store.leases()
    files = {name for unit in inventory.units.values() for name in unit.files}
    scores: dict[str, set[str]] = defaultdict(set)
    plans: dict[str, StoredPlan] = {}
    found = []
    for study in store.folders(layout.STUDIES):
        plan, problem = _plan(store, study)
        if plan is not None:
            plans[study] = plan
        found.append(_entry(store, study, plan, files, leases, scores, problem))
    sizes = _sizes(inventory, studies_by_key(plans), scores, [entry.study for entry in found])
    studies = [
        replace(
            entry,
            changed=sizes.changed.get(entry.study),
            size_bytes=sizes.all_bytes[entry.study],
            exclusive_bytes=sizes.exclusive_bytes[entry.study],
        )
        for entry in found
    ]
    studies.sort(key=lambda each: (each.state != "running", -(each.changed or 0), each.study))
    return StorageOverview(tuple(studies), sizes.referred_bytes, inventory.size_bytes)


def overview_json(shown: StorageOverview) -> dict[str, Any]:
    """Turn an overview into plain values."""
    return asdict(shown)


def _plan(store: Store, study: str) -> tuple[StoredPlan | None, str | None]:
    """Read the plan that the last run of a study has written, or say why it cannot be read."""
    try:
        plan = read(store, layout.plan_file(study), StoredPlan)
    except InputError as error:
        return None, str(error)
    return plan, None if plan is not None else f"{store.place(layout.plan_file(study))}: is not there"


def _entry(
    store: Store,
    study: str,
    plan: StoredPlan | None,
    files: Collection[str],
    leases: Collection[str],
    scores: dict[str, set[str]],
    problem: str | None,
) -> StudyOverview:
    """Judge a study by its trials, and note whose scores lie in which folder.

    Args:
        store: the storage.
        study: name of the study.
        plan: that its last run has written; None if there is none that can be read.
        files: names of all results, scores and records on storage.
        leases: all that were taken and not released.
        scores: folder of an evaluation -> studies that refer to it; added to.
        problem: why there is no plan.
    """
    planned = planned_keys(plan) if plan is not None else {}
    stored = set(store.folders(layout.trials(study)))
    done = failed = running = 0
    for trial in stored | planned.keys():
        lease = layout.trial_lease(study, trial)
        result = _result(store, study, trial) if layout.trial_result(study, trial) in files else None
        for name in result.evaluations.values() if result is not None else ():
            scores[_evaluation_folder(name)].add(study)
        if trial not in planned:
            continue
        if result is not None and is_finished(result, planned[trial], plan, files):
            done += 1
        elif lease in leases and store.lease_owner(lease) is not None:
            running += 1
        elif layout.trial_failure(study, trial) in files and _has_failed(store, study, trial):
            failed += 1
    runs = tuple(run.sentence for run in living_runs(store, study, leases))
    return StudyOverview(
        study=study,
        state=_state(is_run=bool(runs or running), has_plan=plan is not None, left=len(planned) - done, failed=failed),
        trials=len(planned),
        done=done,
        failed=failed,
        running=running,
        gone=len(stored - planned.keys()) if plan is not None else 0,
        runs=runs,
        last=last_run(store, study),
        problem=problem,
    )


def _state(*, is_run: bool, has_plan: bool, left: int, failed: int) -> StudyState:
    if is_run:
        return "running"
    if not has_plan:
        return "unreadable"
    if left == 0:
        return "finished"
    return "failed" if failed else "half-done"


def _result(store: Store, study: str, trial: str) -> TrialResult | None:
    """Read the result of a trial; a damaged one is none, and a warning names it."""
    return read_or_drop(store, layout.trial_result(study, trial), TrialResult, RESULT_AGAIN)


def _has_failed(store: Store, study: str, trial: str) -> bool:
    """Tell whether a trial has left a failure that can be read, as `ablate status` counts it."""
    return read_or_drop(store, layout.trial_failure(study, trial), Failure, NO_FAILURE) is not None


@dataclass
class _Sizes:
    """Sizes by study, and when each was last written to."""

    changed: dict[str, float] = field(default_factory=dict)
    all_bytes: Counter[str] = field(default_factory=Counter)
    exclusive_bytes: Counter[str] = field(default_factory=Counter)
    referred_bytes: int = 0


def _sizes(
    inventory: Inventory,
    by_key: Mapping[str, Collection[str]],
    scores: Mapping[str, Collection[str]],
    studies: Collection[str],
) -> _Sizes:
    """Add up the sizes of what each study refers to.

    Args:
        inventory: of the storage.
        by_key: key of a stage or of features -> studies that refer to it.
        scores: folder of an evaluation -> studies that refer to it.
        studies: names of all studies.
    """
    sizes = _Sizes()
    for unit in inventory.units.values():
        match unit.name.split("/"):
            case ["studies" | "runs", study, *_]:
                users: Collection[str] = {study} & set(studies)
            case ["stages" | "features", key, *_]:
                users = by_key.get(key, ())
            case ["evaluations", *_]:
                users = scores.get(_evaluation_folder(unit.name), ())
            case _:
                users = ()
        size = unit.size_bytes
        sizes.referred_bytes += size if users else 0
        for study in users:
            sizes.changed[study] = max(sizes.changed.get(study, 0.0), unit.newest)
            sizes.all_bytes[study] += size
            sizes.exclusive_bytes[study] += size if len(users) == 1 else 0
    return sizes


def _evaluation_folder(name: str) -> str:
    return "/".join(name.split("/")[:2])
