"""Find whole results that nothing which is kept refers to: of removed arms, or that can be made again."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.storage.declared import DeclaredTrials
from orchestrator.storage.freeable import Freeable, freeable
from orchestrator.storage.leftovers import features_key
from orchestrator.storage.references import References, StoredPlan, TrialWork
from search_spaces.errors import InputError
from search_spaces.quantities import Device
from trainables.storage import layout
from trainables.storage.inventory import Inventory
from trainables.storage.record_files import read, read_or_redo
from trainables.storage.records import DigestCache, FeaturesResult, PreparedManifest, SourceDigest, StageResult
from trainables.storage.store import Store

Redoable = Literal["features", "data"]
"""What can be made again from what the user has: at the price of an encoder's pass, or of reading the source."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Needs:
    """What is kept, and what it needs."""

    kept: tuple[TrialWork, ...]
    gone: tuple[TrialWork, ...]
    """Trials of removed arms."""
    superseded: tuple[TrialWork, ...]
    """Trials that were set aside long enough ago."""
    stages: frozenset[str]
    """Keys that some trial that is kept was planned with, was given or has trained."""
    evaluations: frozenset[str]
    """Names of the scores of trials that are kept."""
    features: frozenset[str]
    """Keys that some unfinished trial reads."""
    sources: frozenset[str] | None
    """Digests of prepared sources that unfinished trials and reports read; None where some plan does not say."""
    names: frozenset[str] = field(default_factory=frozenset)
    """Names of the same sources."""


def what_is_needed(
    references: References,
    declared: Mapping[str, DeclaredTrials],
    kept_studies: Collection[str] = (),
    superseded_before: float | None = None,
) -> Needs:
    """Work out what is kept of all studies, and what that needs.

    Args:
        references: of all studies of the storage; all of them could be read.
        declared: study -> all trials of its study file, which a limited run has not all planned.
        kept_studies: names of studies of which nothing is gone.
        superseded_before: seconds since the epoch: trials set aside before that are not kept; None to keep all.
    """
    kept: list[TrialWork] = []
    gone: list[TrialWork] = []
    superseded: list[TrialWork] = []
    for trial in references.trials:
        if trial.is_superseded:
            is_old = superseded_before is not None and _set_aside_at(trial) < superseded_before
            (superseded if is_old and trial.study not in kept_studies else kept).append(trial)
        elif trial.is_planned or trial.study in kept_studies or trial.id in _ids(declared, trial.study):
            kept.append(trial)
        else:
            gone.append(trial)
    stages = {key for trial in kept for key in trial.stages}
    stages |= {node.key for plan in references.plans.values() for node in plan.stages if node.key is not None}
    stages |= {key for trials in declared.values() for key in trials.stages}
    features: set[str] = set()
    sources: set[str] | None = set()
    names: set[str] = set()
    for study, plan in references.plans.items():
        own = [trial for trial in kept if trial.study == study and not trial.is_superseded]
        is_whole = _ids(declared, study) <= {trial.id for trial in own}  # else unplanned trials need what they do
        unfinished = [trial for trial in own if not trial.is_finished]
        features |= {key for trial in (unfinished if is_whole else own) for key in trial.features}
        if not is_whole:
            features |= {node.key for node in plan.features if node.key is not None}
        read_again = bool(unfinished) or not is_whole
        if plan.sources is None:
            sources = None
            continue
        needed = [source for source in plan.sources if source.asked or read_again]
        names |= {source.name for source in needed}
        if sources is not None:
            sources |= {source.digest for source in needed if source.digest is not None}
    return Needs(
        kept=tuple(kept),
        gone=tuple(gone),
        superseded=tuple(superseded),
        stages=frozenset(stages),
        evaluations=frozenset(name for trial in kept for name in trial.evaluations),
        features=frozenset(features),
        sources=None if sources is None else frozenset(sources),
        names=frozenset(names),
    )


def _ids(declared: Mapping[str, DeclaredTrials], study: str) -> frozenset[str]:
    return declared[study].ids if study in declared else frozenset()


def _set_aside_at(trial: TrialWork) -> float:
    """Read from its name when a trial was set aside, in seconds since the epoch; one without a time is kept."""
    seconds = trial.id.rpartition("-")[2]
    return float(seconds) if seconds.isdecimal() else float("inf")


def find_gone(needs: Needs, inventory: Inventory, store: Store, references: References) -> Iterator[Freeable]:
    """Find what removed arms alone have made: their scores, stages and folders, and stages that nothing refers to.

    Scores are kept as long as the weights that they are of: an earlier version of a study finds them by their key.

    Args:
        needs: of all that is kept.
        inventory: of the storage.
        store: the storage.
        references: of all studies.
    """
    weights = {_weights(store, key) for key in needs.stages if layout.stage_result(key) in _names(inventory, key)}
    for trial in needs.gone:
        is_of_kept = any(key in needs.stages or _weights(store, key) in weights for key in trial.last_stages)
        units = {"/".join(name.split("/")[:2]) for name in trial.evaluations}
        for name in sorted(units) if not is_of_kept else ():
            unit = inventory.units.get(name)
            if unit is not None and not unit.files & needs.evaluations:
                lease = layout.trial_lease(trial.study, trial.id)
                yield freeable("evaluations", unit, frozenset((trial.study,)), lease)
    for unit in inventory.units.values():
        if unit.name.startswith("stages/") and unit.kind in ("results", "weights", "checkpoints"):
            key = unit.name.split("/")[1]
            if key not in needs.stages and _DIGEST.fullmatch(key):
                studies = references.studies_of.get(key, frozenset())
                cost = _cost(store, layout.stage_result(key), StageResult, _plans(references, studies))
                yield freeable("stages", unit, studies, key, *cost)
    for trial in needs.gone:
        unit = inventory.units.get(trial.folder)
        if unit is not None:
            yield freeable("trials", unit, frozenset((trial.study,)), layout.trial_lease(trial.study, trial.id))


def find_superseded(needs: Needs, inventory: Inventory) -> Iterator[Freeable]:
    """Find the folders of trials that were set aside long enough ago."""
    for trial in needs.superseded:
        unit = inventory.units.get(trial.folder)
        if unit is not None:
            yield freeable("superseded", unit, frozenset((trial.study,)))


def find_redoable(
    needs: Needs,
    inventory: Inventory,
    store: Store,
    references: References,
    kinds: Collection[Redoable],
    before: float,
) -> Iterator[Freeable]:
    """Find features and prepared data that no unfinished trial of any study reads, nor a report.

    Args:
        needs: of all that is kept.
        inventory: of the storage.
        store: the storage.
        references: of all studies.
        kinds: which of them.
        before: seconds since the epoch: a source that was used later may be one of a run that has no plan yet.

    Raises:
        InputError: data are to be freed, and some plan does not say which it reads.
    """
    if "features" in kinds:
        for unit in inventory.units.values():
            key = features_key(unit.name) if unit.name.startswith("features/") else ""
            if unit.kind != "asides" and _DIGEST.fullmatch(key) and key not in needs.features:
                studies = references.studies_of.get(key, frozenset())
                cost = _cost(store, layout.features_result(key), FeaturesResult, _plans(references, studies))
                yield freeable("features", unit, studies, key, *cost)
    if "data" in kinds:
        yield from _redoable_data(needs, inventory, store, references.plans, before)


def _redoable_data(
    needs: Needs, inventory: Inventory, store: Store, plans: Mapping[str, StoredPlan], before: float
) -> Iterator[Freeable]:
    if needs.sources is None:
        older = next(study for study, plan in plans.items() if plan.sources is None)
        raise InputError(
            "the plan must say which data the study reads, but was written by a version that did not",
            place=store.place(layout.plan_file(older)),
            way_out=f"Run the study {older} once more (nothing is trained again), or leave out --redoable data.",
        )
    cache = read_or_redo(store, layout.DIGESTS, DigestCache)
    current = {} if cache is None else cache.root
    digests = needs.sources | {
        entry.digest for name, entry in current.items() if name in needs.names and isinstance(entry, SourceDigest)
    }
    pictures: set[str] = set()
    for unit in inventory.units.values():
        digest = unit.name.removeprefix("data/")
        if not unit.name.startswith("data/") or not _DIGEST.fullmatch(digest):
            continue
        if digest in digests or unit.newest >= before:
            manifest = read(store, layout.data_result(digest), PreparedManifest)
            pictures |= {manifest.pictures} if manifest is not None else set()
        else:
            yield freeable("data", unit)
    for unit in inventory.units.values():
        digest = unit.name.removeprefix("pictures/")
        if unit.name.startswith("pictures/") and _DIGEST.fullmatch(digest) and digest not in pictures:
            yield freeable("pictures", unit)


def _names(inventory: Inventory, key: str) -> Collection[str]:
    unit = inventory.units.get(layout.stage_folder(key))
    return unit.files if unit is not None else ()


def _weights(store: Store, key: str) -> tuple[tuple[str, str], ...] | str:
    """Identify the weights of a stage by their digests; by its key where it has no result that can be read."""
    try:
        result = read(store, layout.stage_result(key), StageResult)
    except InputError:
        return key
    return key if result is None or not result.modules else tuple(sorted(result.modules.items()))


def _plans(references: References, studies: Collection[str]) -> list[StoredPlan]:
    """List the plans of studies, of those that have one."""
    return [references.plans[study] for study in sorted(studies) if study in references.plans]


def _cost(
    store: Store, name: str, kind: type[StageResult] | type[FeaturesResult], plans: Collection[StoredPlan]
) -> tuple[float, Device]:
    """Read the seconds that something has cost, and what they are of; 0 where no result can be read.

    Args:
        store: the storage.
        name: of the result.
        kind: of the result; that of features does not say what they were made on.
        plans: of the studies that refer to it, which say how many cores a worker has.
    """
    try:
        result = read(store, name, kind)
    except InputError:
        return 0.0, "device"
    seconds = 0.0 if result is None else result.gpu_seconds
    asked = [arm.resources for plan in plans for arm in plan.arms]
    has_one_core = bool(asked) and all(resources.cpus_per_worker == 1 for resources in asked)
    on_cpus: Device = "core" if has_one_core else "worker"
    name_of_device = result.provenance.get("device") if isinstance(result, StageResult) else None
    if name_of_device is not None:
        return seconds, on_cpus if name_of_device == "cpu" else "GPU"
    uses_gpus = {resources.gpus_per_worker > 0 for resources in asked}
    return seconds, "device" if len(uses_gpus) != 1 else "GPU" if uses_gpus == {True} else on_cpus
