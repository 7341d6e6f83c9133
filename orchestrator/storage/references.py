"""Collect what the studies of a storage refer to: the work of every trial, by its keys.

What is referred to is read from storage alone: the plan that a run has written (`plan.json`), what each trial was given
(`task.json`) and what it came to (`result.json`), also of trials that were set aside because their data had changed.
Whatever cannot be read is named, as it may refer to anything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from search_spaces.errors import InputError
from trainables.storage import layout
from trainables.storage.inventory import Inventory
from trainables.storage.record_files import read
from trainables.storage.records import Attempt, TrialResult
from trainables.storage.store import Store


@dataclass(frozen=True)
class PlannedNode:
    """Stage or features of a plan on storage."""

    id: str
    key: str | None = None


@dataclass(frozen=True)
class PlannedTrial:
    """Trial of a plan on storage: ids of its stages and features."""

    id: str
    arm: str
    stages: tuple[str, ...]
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedResources:
    """Devices of each worker of an arm on storage."""

    gpus_per_worker: float = 0.0
    cpus_per_worker: float = 1.0


@dataclass(frozen=True)
class PlannedArm:
    """Arm of a plan on storage."""

    resources: PlannedResources = PlannedResources()


@dataclass(frozen=True)
class PlannedSource:
    """Source of a plan on storage."""

    name: str
    digest: str | None
    asked: bool
    """Whether an evaluation set asks about it: reports show its questions and images."""


@dataclass(frozen=True)
class PlannedSet:
    """Evaluation set of a plan on storage."""

    id: str


@dataclass(frozen=True)
class PlannedBlindRun:
    """Blind run of a plan on storage."""

    declared: bool = False
    sets: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoredPlan:
    """Part of `studies/<study>/plan.json` that says what the study refers to."""

    trials: tuple[PlannedTrial, ...]
    stages: tuple[PlannedNode, ...]
    features: tuple[PlannedNode, ...] = ()
    benchmarks: tuple[PlannedSet, ...] = ()
    samples: tuple[PlannedSet, ...] = ()
    blind: PlannedBlindRun = PlannedBlindRun()
    sources: tuple[PlannedSource, ...] | None = None
    """None in plans of versions that did not write them down."""
    arms: tuple[PlannedArm, ...] = ()

    @property
    def required_sets(self) -> frozenset[str]:
        """Names of the evaluation sets without whose scores a trial is not done."""
        blind = self.blind.sets if self.blind.declared else ()
        return frozenset((*(each.id for each in (*self.benchmarks, *self.samples)), *blind))


@dataclass(frozen=True)
class TrialWork:
    """What one trial refers to."""

    study: str
    id: str
    folder: str
    """On storage: among the trials of the study, or among those that were set aside."""
    is_superseded: bool
    is_planned: bool
    """Whether the plan on storage has it."""
    is_finished: bool
    """Whether it has all results that the plan asks for; of trials that are not planned, whether it has a result."""
    stages: frozenset[str]
    """Keys of all stages that it was planned with, was given or has trained."""
    last_stages: frozenset[str]
    """Those of them whose weights it was scored with, or will be."""
    features: frozenset[str]
    """Keys of the features that it reads."""
    evaluations: frozenset[str]
    """Names of its scores."""
    trained: frozenset[str] = frozenset()
    """Keys of the stages that its result names."""


@dataclass(frozen=True)
class References:
    """What the studies of a storage refer to."""

    plans: Mapping[str, StoredPlan]
    """Study -> its plan, of those whose plan can be read."""
    trials: tuple[TrialWork, ...]
    problems: tuple[InputError, ...]
    """Files that may refer to anything, as they cannot be read."""
    studies_of: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Key of a stage or of features -> studies that refer to it."""


def read_plans(store: Store) -> tuple[dict[str, StoredPlan], list[InputError]]:
    """Read the plan of every study on storage that has one, and what is wrong with those that cannot be read."""
    plans, problems = {}, []
    for study in store.folders(layout.STUDIES):
        try:
            plan = read(store, layout.plan_file(study), StoredPlan)
        except InputError as error:
            problems.append(error)
            continue
        if plan is None:
            continue
        if all(node.key is not None for node in (*plan.stages, *plan.features)):
            plans[study] = plan
        else:
            problems.append(
                InputError(
                    "a plan that was run must have the keys of all stages and features, but some are null",
                    place=store.place(layout.plan_file(study)),
                    way_out="Run the study again: its plan is written anew.",
                )
            )
    return plans, problems


def keys_of(plan: StoredPlan) -> set[str]:
    """List the keys of all stages and features of a plan."""
    return {node.key for node in (*plan.stages, *plan.features) if node.key is not None}


def studies_by_key(plans: Mapping[str, StoredPlan], trials: Collection[TrialWork] = ()) -> dict[str, frozenset[str]]:
    """Map keys of stages and features to the studies that refer to them."""
    studies: dict[str, set[str]] = {}
    for study, plan in plans.items():
        for key in keys_of(plan):
            studies.setdefault(key, set()).add(study)
    for trial in trials:
        for key in trial.stages | trial.features:
            studies.setdefault(key, set()).add(trial.study)
    return {key: frozenset(names) for key, names in studies.items()}


def read_references(store: Store, inventory: Inventory) -> References:
    """Read what every trial of every study refers to.

    Args:
        store: the storage.
        inventory: of it, which names the trials and what there is of their work.
    """
    plans, problems = read_plans(store)
    files = {name for unit in inventory.units.values() for name in unit.files}
    trials = []
    for study in store.folders(layout.STUDIES):
        plan = plans.get(study)
        folders = [(layout.trial_folder(study, trial), trial, False) for trial in store.folders(layout.trials(study))]
        superseded = layout.superseded_trials(study)
        folders += [(f"{superseded}/{trial}", trial, True) for trial in store.folders(superseded)]
        seen = {trial for _, trial, is_superseded in folders if not is_superseded}
        unseen = [trial.id for trial in plan.trials if trial.id not in seen] if plan is not None else []
        folders += [(layout.trial_folder(study, trial), trial, False) for trial in unseen]
        planned = planned_keys(plan) if plan is not None else {}
        for folder, trial, is_superseded in folders:
            if not is_superseded and _has_lost_its_task(folder, inventory):
                problems.append(_lost_task(store, folder))
            try:
                of_plan = None if is_superseded else planned.get(trial)
                trials.append(_trial_work(store, study, trial, folder, is_superseded, of_plan, plan, files))
            except InputError as error:
                problems.append(error)
    return References(plans, tuple(trials), tuple(problems), studies_by_key(plans, trials))


def _has_lost_its_task(folder: str, inventory: Inventory) -> bool:
    """Tell whether a trial was begun, and nothing says any more what it has trained."""
    unit = inventory.units.get(folder)
    is_known = unit is None or {layout.task_in(folder), layout.result_in(folder)} & unit.files
    return not is_known and unit is not None and "spools" in unit.amounts


def _lost_task(store: Store, folder: str) -> InputError:
    return InputError(
        "a trial that was begun must have its task or its result, but has neither",
        place=store.place(folder),
        way_out="Run the study again, or remove the folder.",
    )


@dataclass(frozen=True)
class PlannedKeys:
    """Keys of a planned trial, in the order of its path."""

    stages: tuple[str, ...]
    features: tuple[str, ...]


def planned_keys(plan: StoredPlan) -> dict[str, PlannedKeys]:
    """Map the trials of a plan to the keys of their stages and features."""
    keys = {node.id: node.key or "" for node in (*plan.stages, *plan.features)}
    return {
        trial.id: PlannedKeys(
            tuple(keys.get(node, "") for node in trial.stages), tuple(keys.get(node, "") for node in trial.features)
        )
        for trial in plan.trials
    }


def _trial_work(
    store: Store,
    study: str,
    trial: str,
    folder: str,
    is_superseded: bool,
    planned: PlannedKeys | None,
    plan: StoredPlan | None,
    files: Collection[str],
) -> TrialWork:
    """Read what one trial refers to.

    Args:
        store: the storage.
        study: name of its study.
        trial: its id.
        folder: where its files are.
        is_superseded: whether it was set aside.
        planned: keys that the plan has for it; None if the plan does not have it.
        plan: of the study; None if there is none that can be read.
        files: names of all results, scores and records on storage.
    """
    task = read(store, layout.task_in(folder), Attempt)
    result = read(store, layout.result_in(folder), TrialResult)
    given = tuple(stage.key for stage in task.stages) if task is not None else ()
    trained = result.stages if result is not None else ()
    paths = [path for path in (planned.stages if planned is not None else (), given, trained) if path]
    return TrialWork(
        study=study,
        id=trial,
        folder=folder,
        is_superseded=is_superseded,
        is_planned=planned is not None,
        is_finished=result is not None and (planned is None or is_finished(result, planned, plan, files)),
        stages=frozenset(key for path in paths for key in path),
        last_stages=frozenset(path[-1] for path in paths),
        features=frozenset(
            (*(planned.features if planned is not None else ()), *(f.key for f in (task.features if task else ())))
        ),
        evaluations=frozenset(result.evaluations.values() if result is not None else ()),
        trained=frozenset(trained),
    )


def is_finished(result: TrialResult, planned: PlannedKeys, plan: StoredPlan | None, files: Collection[str]) -> bool:
    """Tell whether a trial has every result that its plan asks for."""
    if result.stages != planned.stages or any(layout.stage_result(key) not in files for key in planned.stages):
        return False
    required = plan.required_sets if plan is not None else frozenset()
    return result.diverged or all(result.evaluations.get(name, "") in files for name in required)
