"""A study stays within its disk budget: leftovers go first, and nothing is started that would not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.storage.budget import DiskBudget
from tests.support.several_studies import StoredStudy, checkpoint, declare, finish
from trainables.storage import layout
from trainables.storage.inventory import take_inventory
from trainables.storage.owner import Owner
from trainables.storage.store import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    (tmp_path / "storage").mkdir()
    return LocalStore(tmp_path / "storage")


def keys(study: StoredStudy) -> list[str]:
    """List the keys of all stages of a study."""
    return [node.key or "" for node in study.plan.nodes.values() if node.kind == "stage"]


def size_of(store: LocalStore, study: StoredStudy) -> int:
    """Sum what lies on storage of a study's stages, features and trials."""
    features = [node.key or "" for node in study.plan.nodes.values() if node.kind == "features"]
    folders = [*map(layout.stage_folder, keys(study)), *map(layout.features_folder, dict.fromkeys(features))]
    return take_inventory(store, [*folders, layout.study_folder("a")]).size_bytes


def budget(
    store: LocalStore, study: StoredStudy, size_bytes: int | None, next_bytes: int = 0
) -> tuple[DiskBudget, list[str]]:
    """Give a study a budget; returns it, and the list that grows with what is told."""
    told: list[str] = []
    return DiskBudget(replace(study.plan, disk_budget_bytes=size_bytes), store, next_bytes, told.append), told


def test_what_the_study_takes_and_what_it_writes_next_must_fit(store: LocalStore) -> None:
    study = declare(store, "a", (4, 6))
    finish(store, study.plan)
    finish(store, declare(store, "b", (8, 10)).plan)
    size = size_of(store, study)
    for limit, next_bytes, fits in ((None, 10**9, True), (size, 0, True), (size - 1, 0, False), (size + 9, 10, False)):
        trouble = budget(store, study, limit, next_bytes)[0].trouble()
        assert (trouble is None) == fits
    text = budget(store, study, size, 10)[0].trouble() or ""
    assert "of its disk budget of" in text
    assert "storage.budget_gb" in text


def test_leftovers_of_the_study_are_freed_before_anything_waits(store: LocalStore) -> None:
    study, other = declare(store, "a", (4, 6)), declare(store, "b", (8,))
    for each in (study, other):
        finish(store, each.plan)
    size, foreign = size_of(store, study), keys(other)[-1]
    for key in (keys(study)[0], foreign):
        checkpoint(store, key)
    kept, told = budget(store, study, size)
    assert kept.trouble() is None
    assert told == ["freed 102 B of leftovers, as the study is near its disk budget"]
    assert store.exists(layout.checkpoints(foreign))
    assert kept.trouble() is None
    assert len(told) == 1


def test_what_a_running_trial_needs_is_not_freed(store: LocalStore) -> None:
    study = declare(store, "a", (4, 6))
    finish(store, study.plan, [study.trial(4, 7)])
    unfinished, held = study.trial(6, 7).stage_nodes(study.plan)[-1].key or "", keys(study)[0]
    for key in (unfinished, held):
        checkpoint(store, key)
    store.put(f"{layout.stage_folder(unfinished)}/.projector.safetensors.ab.aside", b"half")
    assert store.lease(held, Owner.here())
    before = store.list("stages")
    kept, told = budget(store, study, 1)
    assert kept.trouble() is not None
    assert (store.list("stages"), told) == (before, [])
    assert store.exists(f"{layout.stage_folder(unfinished)}/.projector.safetensors.ab.aside")
