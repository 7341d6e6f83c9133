"""Claims about orchestrator/running/rehearsal_files.py on a real storage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cluster.launcher import ResourceRequest
from orchestrator.running.rehearsal_files import rehearsal_files
from orchestrator.running.rehearsals import PlannedRehearsal, Rehearsals
from tests.support.fake_trials import STUDY, Fakes
from tests.support.small_records import rehearsal_record
from trainables.storage import layout
from trainables.storage.owner import Owner
from trainables.storage.record_files import read, write
from trainables.storage.records import SmallerBatch
from trainables.storage.store import LocalStore


def test_what_a_killed_run_has_left_is_removed_by_the_next_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    gone = replace(Owner.here(), pid=2**22 + 1)
    killed, living = layout.rehearsal_scratch("killed"), layout.rehearsal_scratch("living")
    for folder, owner in ((killed, gone), (living, Owner.here())):
        store.put(layout.owner_in(folder), owner.to_bytes())
        store.put(f"{folder}/stages/key/projector.safetensors", b"weights")
    with rehearsal_files(STUDY, store, Rehearsals((_planned(),))):
        assert not store.exists(killed)
        assert store.exists(living)


def test_rehearsals_learn_first_what_fits_in_the_study(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put(layout.smaller_batch(STUDY, "0" * 24), b'{"of": "stage s1", "micro_batch": 2}')
    with rehearsal_files(STUDY, store, Rehearsals((_planned(),))) as files:
        assert files.scratch.exists(layout.smaller_batch(STUDY, "0" * 24))


def test_a_scratch_that_another_run_removes_meanwhile_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Removing(LocalStore):
        def exists(self, name: str) -> bool:
            is_there = super().exists(name)
            self.remove(layout.rehearsal_scratch("killed"))
            return is_there

        def get(self, name: str) -> bytes:
            self.remove(layout.rehearsal_scratch("killed"))
            return super().get(name)

    store = Removing(tmp_path)
    store.put(layout.owner_in(layout.rehearsal_scratch("killed")), Owner.here().to_bytes())
    with rehearsal_files(STUDY, store, Rehearsals((_planned(),))) as files:
        assert store.folders(layout.SCRATCH) == (files.scratch.root.name,)


def test_rehearsals_hand_on_what_they_have_learned_and_nothing_that_they_were_taught(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    taught, learned = (layout.smaller_batch(STUDY, digit * 24) for digit in "01")
    write(store, taught, SmallerBatch("stage s1", 4))
    with rehearsal_files(STUDY, store, Rehearsals((_planned(),))) as files:
        write(store, taught, SmallerBatch("stage s1", 2))  # another run has learned more meanwhile
        write(files.scratch, learned, SmallerBatch("stage s2", 8))
        write(files.scratch, layout.rehearsal("shape-a"), rehearsal_record("shape-a"))
        files.keep_record(_planned())
    assert read(store, taught, SmallerBatch) == SmallerBatch("stage s1", 2)
    assert read(store, learned, SmallerBatch) == SmallerBatch("stage s2", 8)


def test_no_stage_of_a_rehearsal_has_the_key_of_a_trial_or_of_another_shape(tmp_path: Path) -> None:
    task = Fakes(tmp_path, {"a-s1": ["s1", "s2"]}).task("a-s1")
    with rehearsal_files(STUDY, LocalStore(tmp_path), Rehearsals((_planned(),))) as files:
        tasks = [task, *(files.task(replace(_planned(), shape=shape), task) for shape in ("shape-a", "shape-b"))]
    assert len({stage.key for each in tasks for stage in each.stages}) == 6


def _planned() -> PlannedRehearsal:
    return PlannedRehearsal("shape-a", "proof", "a", ResourceRequest(), ("a-s1",))
