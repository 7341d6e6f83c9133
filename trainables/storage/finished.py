"""Read the results of stages and features together with the files that they stand for. No torch.

A result is written last, so it says that its files were whole then. Whoever counts work as done, or goes on from it,
asks here: files that were lost or damaged since are named before anything runs, and never used.
"""

from __future__ import annotations

from search_spaces.errors import InputError
from trainables.storage import layout
from trainables.storage.artifacts import Verified, verify_features, verify_stage
from trainables.storage.record_files import read
from trainables.storage.records import FeaturesResult, StageResult
from trainables.storage.store import Store


def finished_stage(store: Store, key: str) -> StageResult | None:
    """Read the result of a stage whose weights are whole, or return None if it is not finished.

    Raises:
        InputError: the result, or the weights of a module that the stage trained, are damaged or gone.
    """
    _require(store, verify_stage(store, key, "shape"), layout.stage_folder(key))
    return read(store, layout.stage_result(key), StageResult)


def finished_features(store: Store, key: str) -> FeaturesResult | None:
    """Read the result of features that are whole, or return None if they are not finished.

    Raises:
        InputError: the result or the features are damaged or gone, or the features have another shape.
    """
    _require(store, verify_features(store, key, "shape"), layout.features_folder(key))
    return read(store, layout.features_result(key), FeaturesResult)


def _require(store: Store, verified: Verified, folder: str) -> None:
    """Raise InputError unless the files of a finished folder are whole."""
    for found in verified.damages:
        raise InputError(
            f"must be whole, as it was written, but {found.problem}",
            place=found.place,
            way_out=f"Remove the folder {store.place(folder)} and run the study again: what trials still need of it is"
            " made anew; everything else is kept.",
        )
