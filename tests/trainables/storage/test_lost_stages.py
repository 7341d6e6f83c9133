"""Only weights that something still reads are trained again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from trainables.storage import layout
from trainables.storage.lost_stages import lost_stages
from trainables.storage.record_files import write
from trainables.storage.records import StageResult
from trainables.storage.store import LocalStore

WEIGHTS = save({"weight": np.ones(3, np.float32)})


def _finish(store: LocalStore, key: str, modules: tuple[str, ...], diverged: bool = False) -> None:
    digests: Mapping[str, str] = dict.fromkeys(modules, hashlib.sha256(WEIGHTS).hexdigest())
    for name in modules:
        store.put(layout.module_weights(layout.stage_folder(key), name), WEIGHTS)
    result = StageResult(key, key, 1, digests, 0.5, diverged, "", 1.0, 1.0, {}, {})
    write(store, layout.stage_result(key), result)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A storage with a trial of three stages: a projector, a projector with its language model, the latter alone."""
    store = LocalStore(tmp_path)
    _finish(store, "a", ("projector",))
    _finish(store, "b", ("language", "projector"))
    _finish(store, "c", ("language",))
    return store


def _lost(store: LocalStore, *, is_scored: bool = False) -> list[str]:
    return ["abc"[index] for index in lost_stages(store, ["a", "b", "c"], "content", is_scored=is_scored)]


def _flip(store: LocalStore, key: str, module: str) -> None:
    content = bytearray(WEIGHTS)
    content[-1] ^= 1
    store.put(layout.module_weights(layout.stage_folder(key), module), bytes(content))


@pytest.mark.parametrize(
    ("damaged", "lost"),
    [
        ([], []),
        (["a projector"], []),  # the second stage has trained it further
        (["b projector"], ["b"]),
        (["b language"], []),
        (["c language"], ["c"]),
        (["c language", "b language"], ["c", "b"]),  # the third stage starts from what the second has left
        (["c language", "b projector", "a projector"], ["c", "b", "a"]),
    ],
)
def test_a_stage_is_lost_if_what_is_still_to_be_done_reads_what_it_trained(
    store: LocalStore, damaged: list[str], lost: list[str]
) -> None:
    for weights in damaged:
        _flip(store, *weights.split())
    assert _lost(store) == lost
    assert _lost(store, is_scored=True) == []


def test_weights_that_are_not_there_are_lost_as_those_with_a_changed_bit(store: LocalStore) -> None:
    store.remove(layout.module_weights(layout.stage_folder("b"), "projector"))
    assert _lost(store) == ["b"]


def test_a_stage_whose_result_is_damaged_is_lost_whatever_is_read(store: LocalStore) -> None:
    store.put(layout.stage_result("a"), b"")
    assert _lost(store, is_scored=True) == ["a"]
    assert _lost(store) == ["a"]


def test_what_a_stage_that_is_not_trained_yet_starts_from_is_read(store: LocalStore) -> None:
    store.remove(layout.stage_folder("c"))
    _flip(store, "b", "language")
    assert _lost(store, is_scored=True) == ["b"]
    unknown = lost_stages(store, ["a", "b", None], "shape", is_scored=True)
    assert unknown == {}  # a flipped bit shows in the content alone
    assert [*lost_stages(store, ["a", "b", None], "content", is_scored=True)] == [1]


def test_of_a_diverged_trial_nothing_is_read(store: LocalStore) -> None:
    _finish(store, "c", ("language",), diverged=True)
    _flip(store, "b", "projector")
    assert _lost(store) == []
