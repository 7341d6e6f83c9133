"""Step checkpoints that are written in the background are those that steps wait for, and hold no step up."""

from __future__ import annotations

import errno
import itertools
import os
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
import torch

from search_spaces.failure_kind import failure_kind
from search_spaces.outcomes import TrialDone
from search_spaces.resource_spec import CheckpointForm
from tests.support.gloo_pair import answers_of_two, run_on_two
from tests.support.tiny_specs import OptimizerSpec, stage
from tests.support.tiny_trials import is_step, make_task, run, run_until
from trainables.host_memory import HostMemory
from trainables.run_trial import run_trial
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import CheckpointManifest, Resumes, StageResult
from trainables.storage.store import LocalStore
from trainables.task import Context, TrialTask
from trainables.training import checkpoint_writers, host_buffer
from trainables.training.checkpoint_writers import WRITERS
from trainables.training.host_buffer import HostBuffer
from trainables.training.step_checkpoints import StepCheckpoints
from trainables.workers.process_group import FailedPeerError

FORMS: tuple[CheckpointForm, ...] = get_args(CheckpointForm)
THREAD = "step-checkpoint"
"""How the names of the threads begin that write in the background."""


def _task(root: Path, form: CheckpointForm = "background", **resources: Any) -> TrialTask:
    return make_task(root, benchmarks=(), **{"checkpoint_every_steps": 2, "checkpoint_copy": form, **resources})


def _folder(task: TrialTask) -> Path:
    return Path(task.storage) / layout.checkpoints(task.stages[0].key)


def _steps(task: TrialTask) -> list[int]:
    names = LocalStore(Path(task.storage)).folders(layout.checkpoints(task.stages[0].key))
    return [int(name.split("-")[0]) for name in names]


def _weights(task: TrialTask) -> tuple[object, object]:
    result = read(LocalStore(Path(task.storage)), layout.stage_result(task.stages[0].key), StageResult)
    assert result is not None
    return result.modules, result.losses_digest


def _resumed_at(task: TrialTask) -> int:
    resumes = read(LocalStore(Path(task.storage)), layout.trial_resumes(task.study, task.id), Resumes)
    assert resumes is not None
    return resumes.resumes[-1].step


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(THREAD)]


def _left_aside(task: TrialTask) -> list[Path]:
    return list(_folder(task).glob("writing.aside/*"))


def _on_checkpoint_flush(monkeypatch: pytest.MonkeyPatch, do: Callable[[str], None]) -> None:
    """Do something before the operating system flushes the file of a rank; it is given the file's name."""
    fsync = os.fsync

    def flush(descriptor: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{descriptor}")).name
        if name.startswith("rank-") and threading.current_thread().name.startswith(THREAD):
            do(name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", flush)


def test_every_form_has_its_writer() -> None:
    assert set(WRITERS) == set(FORMS)


def test_both_forms_write_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[CheckpointForm, dict[str, Any]] = {}
    for form in FORMS:
        ticks = itertools.count()
        clock = SimpleNamespace(perf_counter=lambda ticks=ticks: float(next(ticks)))
        monkeypatch.setattr("trainables.training.stage.time", clock)  # what a step has taken is in a checkpoint
        task = _task(tmp_path / form, form, zero=2)
        run_until(task, 5)
        newest = f"{layout.checkpoints(task.stages[0].key)}/00000002-{layout.CHECKPOINT_FORMAT}"
        manifest = read(LocalStore(tmp_path / form), f"{newest}/{layout.MANIFEST}", CheckpointManifest)
        assert manifest is not None
        seen[form] = {"digests": manifest.digests, "group": manifest.shape}
    assert seen["wait"] == seen["background"]


@pytest.mark.parametrize("zero", [0, 1, 2, 3])
def test_a_stage_that_is_stopped_goes_on_from_a_background_checkpoint_to_the_bytes_of_an_undisturbed_one(
    zero: int, tmp_path: Path
) -> None:
    whole, cut = _task(tmp_path / "whole", "wait", zero=zero), _task(tmp_path / "cut", zero=zero)
    run(whole)
    run_until(cut, 5)
    assert not _threads()
    assert not _left_aside(cut)
    run(cut)
    assert _resumed_at(cut) in (2, 4)
    assert _weights(cut) == _weights(whole)
    assert not LocalStore(tmp_path / "cut").exists(layout.checkpoints(cut.stages[0].key))


def test_a_disk_that_does_not_answer_holds_no_step_up_until_the_next_checkpoint_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, asked = threading.Event(), threading.Event()

    def flush(name: str) -> None:
        asked.set()
        answers.wait()

    _on_checkpoint_flush(monkeypatch, flush)
    task = _task(tmp_path, checkpoint_every_steps=3)
    loop = run_trial(task, Context())
    for progress in loop:
        if is_step(progress, 5):
            break
    assert asked.wait(60)
    assert _steps(task) == []
    answers.set()
    assert list(loop)[-1] == TrialDone()
    assert not _threads()


def test_the_next_checkpoint_waits_for_the_one_before_and_says_how_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = threading.Event()

    def flush(name: str) -> None:
        answers.wait()

    _on_checkpoint_flush(monkeypatch, flush)
    task = _task(tmp_path)
    loop = run_trial(task, Context())
    for progress in loop:
        if is_step(progress, 3):
            break
    assert _steps(task) == []
    publish = StepCheckpoints.publish

    def published(*arguments: Any) -> None:
        answers.set()  # only now that the training thread has come to wait
        publish(*arguments)

    monkeypatch.setattr(StepCheckpoints, "publish", published)
    for progress in loop:
        if is_step(progress, 4):
            break
    assert _steps(task) == [2]
    assert "s for the checkpoint of step 2 to be on storage" in capsys.readouterr().out
    loop.close()  # type: ignore[attr-defined]


def test_a_disk_that_is_full_ends_the_stage_as_it_does_while_steps_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(name: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    task = _task(tmp_path / "cut")
    with monkeypatch.context() as failing:
        _on_checkpoint_flush(failing, full)
        with pytest.raises(OSError, match="No space left") as raised:
            run(task)
    assert failure_kind(raised.value) == "full"
    assert not _threads()
    assert not _left_aside(task)
    assert _steps(task) == []
    whole = _task(tmp_path / "whole", "wait")
    run(whole)
    run(task)
    assert _weights(task) == _weights(whole)


def test_a_host_without_memory_for_the_copy_writes_while_the_step_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*arguments: Any, **options: Any) -> torch.Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8589934592 bytes.")

    whole, cut = _task(tmp_path / "whole", "wait"), _task(tmp_path / "cut")
    run(whole)
    fakes = SimpleNamespace(**{**vars(torch), "empty": refuse})
    monkeypatch.setattr(host_buffer, "torch", fakes)
    run_until(cut, 4)
    assert _steps(cut) == [2]
    assert "the host has no memory for a copy of the state: step 2 waits" in capsys.readouterr().out
    run(cut)
    assert _weights(cut) == _weights(whole)


def test_a_host_whose_free_memory_is_too_small_for_the_copies_of_its_workers_is_not_asked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reserved: list[int] = []
    monkeypatch.setattr(HostBuffer, "reserve", lambda buffer, size: reserved.append(size))
    monkeypatch.setattr(checkpoint_writers, "host_memory", lambda: HostMemory(total=10**9, free=1000))
    task = _task(tmp_path)
    run_until(task, 5)
    assert reserved == []
    assert _steps(task) == [2, 4]
    told = capsys.readouterr().out
    assert "copies of the state of its 1 workers" in told
    assert "the host has no memory for a copy of the state: step 4 waits" in told


def test_a_device_without_memory_is_not_taken_for_a_host_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> Any:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(HostBuffer, "copy", refuse)
    with pytest.raises(RuntimeError, match="CUDA out of memory"):
        run(_task(tmp_path))


@pytest.mark.parametrize("form", FORMS)
def test_a_checkpoint_has_its_name_though_older_ones_cannot_be_removed(
    form: CheckpointForm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = LocalStore.remove

    def refuse(store: LocalStore, name: str) -> None:
        if Path(name).name == f"00000001-{layout.CHECKPOINT_FORMAT}":
            raise OSError(errno.EIO, "Input/output error")
        remove(store, name)

    monkeypatch.setattr(LocalStore, "remove", refuse)
    task = _task(tmp_path, form, checkpoint_every_steps=1)
    with pytest.raises(OSError, match="Input/output error"):
        run(task)
    assert _steps(task) == ([1, 2, 3] if form == "wait" else [1, 2, 3, 4])  # in the background the removal is seen next
    assert not _left_aside(task)


def test_neither_thread_nor_copy_outlives_a_stage_whether_it_ends_fails_or_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies: list[weakref.ref[torch.Tensor]] = []
    reserve = HostBuffer.reserve

    def remembered(buffer: HostBuffer, size: int) -> None:
        reserve(buffer, size)
        copies.extend(weakref.ref(block) for block in buffer._blocks)

    monkeypatch.setattr(HostBuffer, "reserve", remembered)
    hot = OptimizerSpec(kind="sgd", lr=1e30, clip=None)
    run(_task(tmp_path / "ends"))
    run_until(_task(tmp_path / "stopped"), 5)
    run(make_task(tmp_path / "diverges", stages=(stage(optimizer=hot),), checkpoint_copy="background", benchmarks=()))
    assert copies
    assert [copy() for copy in copies if copy() is not None] == []
    assert _threads() == []


def test_two_workers_go_on_from_a_background_checkpoint_to_the_bytes_of_undisturbed_ones(tmp_path: Path) -> None:
    whole, cut = (
        [_task(tmp_path / f"{form}{zero}", form, workers=2, zero=zero) for zero in (0, 2, 3)] for form in FORMS
    )
    expected = run_on_two(whole)
    run_on_two(cut, stop_at=5)
    assert [min(_steps(task)) for task in cut] == [2] * 3
    assert [_left_aside(task) for task in cut] == [[]] * 3
    rest = run_on_two(cut)
    assert all(curve[-len(after) :] == after for curve, after in zip(expected, rest, strict=True))
    assert [_weights(task) for task in cut] == [_weights(task) for task in whole]


def _begin_to_write_when_rank_0_has_given_up() -> None:
    """Let the second rank begin to write its part only when the folder of unfinished checkpoints is removed."""
    writing = StepCheckpoints.writing

    def late(checkpoints: StepCheckpoints, nonce: str) -> Any:
        folder = Path(checkpoints._store.place(layout.unfinished_folder(checkpoints._key, nonce)))
        while checkpoints._context.rank == 1 and folder.exists():
            time.sleep(0.01)
        return writing(checkpoints, nonce)

    StepCheckpoints.writing = late  # type: ignore[method-assign,assignment]


def test_a_rank_that_comes_to_write_after_the_checkpoint_was_given_up_leaves_no_folder(tmp_path: Path) -> None:
    task = _task(tmp_path, workers=2, zero=2)
    run_on_two([task], before=_begin_to_write_when_rank_0_has_given_up, stop_at=3)
    assert _steps(task) == []
    assert not _left_aside(task)
    run_on_two([task])
    assert not _folder(task).exists()


def _train_beside_a_full_disk(rank: int, task: TrialTask) -> str:
    """Train as one of two ranks, the second of which cannot write its part of a checkpoint; return how that ended."""
    fsync = os.fsync

    def flush(descriptor: int) -> None:
        if Path(os.readlink(f"/proc/self/fd/{descriptor}")).name.startswith("rank-00001.safetensors"):
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    os.fsync = flush  # type: ignore[assignment]
    try:
        run(task, Context(rank, 2, rank))
    except (OSError, FailedPeerError) as error:
        return str(error)
    return ""


def test_a_rank_that_cannot_write_its_part_fails_on_all_ranks(tmp_path: Path) -> None:
    task = _task(tmp_path, workers=2, zero=2)
    told = answers_of_two(_train_beside_a_full_disk, task)
    assert "No space left on device" in told[1]
    assert "rank 1 has failed" in told[0]
    assert _steps(task) == []
