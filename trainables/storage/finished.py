"""Read the results of stages and features together with the files that they stand for. No torch.

A result is written last, so it says that its files were whole then. Whoever counts work as done, or goes on from it,
asks here: files that were lost or damaged since are named before anything runs, and never used.
"""

from __future__ import annotations

from functools import partial

from search_spaces.errors import InputError
from trainables.storage import layout
from trainables.storage.payloads import Check, check_npy, check_safetensors, damage
from trainables.storage.record_files import read
from trainables.storage.records import FeaturesResult, StageResult
from trainables.storage.store import Store


def finished_stage(store: Store, key: str) -> StageResult | None:
    """Read the result of a stage whose weights are whole, or return None if it is not finished.

    Raises:
        InputError: the result, or the weights of a module that the stage trained, are damaged or gone.
    """
    result = read(store, layout.stage_result(key), StageResult)
    if result is not None:
        folder = layout.stage_folder(key)
        for module in result.modules:
            _require(store, layout.module_weights(folder, module), "safetensors file", check_safetensors, folder)
    return result


def finished_features(store: Store, key: str) -> FeaturesResult | None:
    """Read the result of features that are whole, or return None if they are not finished.

    Raises:
        InputError: the result or the features are damaged or gone, or the features have another shape.
    """
    result = read(store, layout.features_result(key), FeaturesResult)
    if result is not None:
        check = partial(check_npy, shape=result.shape)
        _require(store, layout.features_array(key), "NumPy file", check, layout.features_folder(key))
    return result


def _require(store: Store, name: str, kind: str, check: Check, folder: str) -> None:
    """Raise InputError unless a file of a finished folder is whole."""
    problem = damage(store, name, check)
    if problem is not None:
        raise InputError(
            f"must be a whole {kind}, as the result beside it says, but {problem}",
            place=store.place(name),
            way_out=f"Remove the folder {store.place(folder)} and run the study again: what trials still need of it is"
            " made anew; everything else is kept.",
        )
