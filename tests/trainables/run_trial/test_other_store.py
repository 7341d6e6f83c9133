"""Claims about run_trial on a store that is no folder."""

from __future__ import annotations

from pathlib import Path

from search_spaces.outcomes import TrialDone, UnitDone
from tests.support.copying_store import ContextOf, CopyingStore
from tests.support.tiny_trials import make_task, run
from trainables.run_trial import run_trial
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import StageResult, TrialResult
from trainables.storage.spool import read_spool
from trainables.storage.store import LocalStore, Store


def _digests(store: Store, stage: str) -> tuple[object, object]:
    result = read(store, layout.stage_result(stage), StageResult)
    assert result is not None
    return result.losses_digest, result.modules


def test_trial_on_a_store_of_objects_stopped_and_resumed_ends_as_on_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    task = make_task(folder, checkpoint_every_steps=2)
    run(task)

    store = CopyingStore(tmp_path / "scratch")
    elsewhere = make_task(folder, checkpoint_every_steps=2, store=store)
    assert elsewhere == task
    attempt = run_trial(elsewhere, ContextOf(kept_in=store))
    for progress in attempt:
        if isinstance(progress, UnitDone) and (progress.node, progress.step) == (task.stages[0].node, 3):
            break
    attempt.close()  # type: ignore[attr-defined]
    (kept,) = store.folders(layout.checkpoints(task.stages[0].key))
    assert kept.startswith("00000002-")
    assert isinstance(run(elsewhere, ContextOf(kept_in=store))[-1], TrialDone)

    stages = [stage.key for stage in task.stages]
    assert [_digests(store, key) for key in stages] == [_digests(LocalStore(folder), key) for key in stages]
    assert store.list("evaluations") == LocalStore(folder).list("evaluations")
    lines = [line for _, line in read_spool(store, layout.spool(task.study, task.id))]
    assert lines[-1]["status"] == "FINISHED"
    assert read(store, layout.trial_result(task.study, task.id), TrialResult) is not None
