"""Find what killed and finished runs have left and no later run will use. No plan is needed to tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestrator.storage.freeable import Freeable, freeable
from search_spaces.errors import InputError
from trainables.storage import layout
from trainables.storage.artifacts import verify_evaluation, verify_stage
from trainables.storage.finished import finished_features
from trainables.storage.inventory import Inventory, Unit
from trainables.storage.store import Store
from trainables.storage.work_folders import is_abandoned


def find_leftovers(
    inventory: Inventory, store: Store, studies_of: Mapping[str, frozenset[str]], before: float
) -> list[Freeable]:
    """Find leftovers that were last written before a moment.

    Args:
        inventory: of the storage, or of a part of it.
        store: the storage.
        studies_of: key of a stage or of features -> studies that refer to it.
        before: seconds since the epoch, by the storage's clock: whatever is younger may be in use.
    """
    in_use = is_in_use(store)
    return [
        item
        for unit in inventory.units.values()
        if unit.newest < before
        for item in _leftover(unit, store, studies_of, in_use)
    ]


def is_in_use(store: Store) -> bool:
    """Tell whether a living process holds any lease of a storage: each run has one from its beginning to its end."""
    return any(store.lease_owner(name) is not None for name in store.leases())


def _leftover(unit: Unit, store: Store, studies_of: Mapping[str, frozenset[str]], in_use: bool) -> Iterator[Freeable]:
    """Judge one unit.

    Args:
        unit: of the inventory.
        store: the storage.
        studies_of: key of a stage or of features -> studies that refer to it.
        in_use: whether some living run holds a lease.
    """
    studies = _studies(unit.name, studies_of)
    match unit.kind:
        case "checkpoints" if _stage_is_whole(unit.name.split("/")[1], store):
            yield freeable("checkpoints", unit, studies, lease_of(unit.name))
        case "progress" if _features_are_whole(features_key(unit.name), store):
            yield freeable("progress", unit, studies, lease_of(unit.name))
        case "answers" if _evaluation_is_whole(unit.name, store):
            yield freeable("answers", unit)
        case "asides":
            yield freeable("asides", unit, studies, lease_of(unit.name))
        case "preparing" if is_abandoned(store, unit.name):
            yield freeable("preparing", unit)
        case "scratch" if not in_use:
            yield freeable("scratch", unit)
        case "leases" if _is_lease(unit.name) and store.lease_owner(_lease_name(unit.name)) is None:
            yield freeable("leases", unit, studies, _lease_name(unit.name))
        case _:
            pass


def lease_of(name: str) -> str | None:
    """Name the lease that whoever writes there holds; None where it is written without one.

    Args:
        name: of a file or folder on storage.
    """
    match name.split("/"):
        case ["stages", key, _, *_]:
            return key
        case ["features", _, *_]:
            return features_key(name)
        case ["studies", study, "trials", trial, _, *_]:
            return layout.trial_lease(study, trial)
        case _:
            return None


def features_key(name: str) -> str:
    """Return the key of features, whole or in progress, from the name of their folder or of a file in it."""
    return name.split("/")[1].partition(".")[0]


def _studies(name: str, studies_of: Mapping[str, frozenset[str]]) -> frozenset[str]:
    match name.split("/"):
        case ["studies", study, _, *_] | ["leases", "trials" | "runs", study, *_]:
            return frozenset((study,))
        case ["leases", "evaluations", key] | [("stages" | "features" | "leases"), key, *_]:
            return studies_of.get(key.partition(".")[0], frozenset())
        case _:
            return frozenset()


def _is_lease(unit: str) -> bool:
    """Tell a lease from the folders above leases, which stay when they are empty."""
    match unit.split("/"):
        case [_, "trials" | "runs" | "evaluations"] | [_, "trials" | "runs", _] | [_]:
            return False
        case _:
            return True


def _lease_name(unit: str) -> str:
    return unit.removeprefix(f"{layout.LEASES}/")


def _stage_is_whole(key: str, store: Store) -> bool:
    """Tell whether a stage has its result and whole weights: else its checkpoints may save it."""
    return store.exists(layout.stage_result(key)) and not verify_stage(store, key, "shape").damages


def _features_are_whole(key: str, store: Store) -> bool:
    """Tell whether features have their result and are whole."""
    try:
        return finished_features(store, key) is not None
    except InputError:
        return False


def _evaluation_is_whole(answers: str, store: Store) -> bool:
    """Tell whether the scores that these answers led to are whole."""
    _, key, folder = answers.split("/")
    benchmark = folder.rpartition(".")[0]
    is_there = store.exists(layout.evaluation_result(key, benchmark))
    return is_there and not verify_evaluation(store, key, benchmark, "shape").damages
