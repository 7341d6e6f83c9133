"""Weights are loaded as the result of their stage names them, or the trial waits until they were made again."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import torch
from torch import nn

from tests.support.small_records import stage_result
from trainables.model.vlm import VLM
from trainables.storage import layout
from trainables.storage.damages import DamagedArtifactError, set_aside
from trainables.storage.record_files import write
from trainables.storage.records import StageResult
from trainables.storage.store import LocalStore
from trainables.training.weights_io import load_weights, save_weights

KEY = "key-align"
FOLDER = layout.stage_folder(KEY)
WEIGHTS = layout.module_weights(FOLDER, "projector")


class _Model(nn.Module):
    vision = None

    def __init__(self) -> None:
        super().__init__()
        self.projector = nn.Linear(2, 2)


def _train(store: LocalStore, value: float) -> StageResult:
    """Write the result of a stage whose projector has this value everywhere."""
    tensors = {"weight": torch.full((2, 2), value), "bias": torch.full((2,), value)}
    digests = save_weights({"projector": tensors}, store, FOLDER)
    result = stage_result(KEY, modules=digests)
    write(store, layout.stage_result(KEY), result)
    return result


def _load(result: StageResult, store: LocalStore) -> float:
    model = _Model()
    load_weights(cast("VLM", model), [result], store)
    return float(model.projector.weight.detach().mean())


def test_weights_are_loaded_as_they_were_trained(store: LocalStore) -> None:
    assert _load(_train(store, 0.5), store) == 0.5


def test_weights_that_are_being_made_again_are_waited_for_and_not_marked(store: LocalStore) -> None:
    result = _train(store, 0.5)
    set_aside(store, FOLDER)
    with pytest.raises(DamagedArtifactError, match=r"projector\.safetensors: must be complete.* not there"):
        _load(result, store)
    assert not store.exists(FOLDER)


def test_weights_that_were_trained_again_to_other_bits_are_not_loaded_under_the_old_result(store: LocalStore) -> None:
    """Other hardware rounds otherwise: scores of these weights have another key."""
    old = _train(store, 0.5)
    set_aside(store, FOLDER)
    new = _train(store, 0.25)
    with pytest.raises(DamagedArtifactError, match="digest differs"):
        _load(old, store)
    assert not store.exists(layout.damage_mark(FOLDER))
    assert _load(new, store) == 0.25


def test_weights_whose_bits_changed_are_marked(store: LocalStore, tmp_path: Path) -> None:
    result = _train(store, 0.5)
    content = store.get(WEIGHTS)
    (tmp_path / WEIGHTS).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DamagedArtifactError, match="digest differs"):
        _load(result, store)
    assert store.exists(layout.damage_mark(FOLDER))
