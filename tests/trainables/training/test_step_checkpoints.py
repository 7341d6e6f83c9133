"""A stage resumes from its newest whole step checkpoint; what is damaged or of another format is named, passed over."""

from __future__ import annotations

import errno
import hashlib
import itertools
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from search_spaces.resource_spec import ResourceSpec
from search_spaces.resources import KEPT_CHECKPOINTS
from tests.support.clean_process import CLEAN
from tests.support.gloo_pair import answers_of_two
from tests.support.written_states import write_state
from trainables.storage import layout
from trainables.storage.file_classes import file_class
from trainables.storage.record_files import write
from trainables.storage.records import CheckpointManifest
from trainables.storage.store import LocalStore
from trainables.task import Context
from trainables.training.state_files import open_state
from trainables.training.step_checkpoints import StepCheckpoints, group_description, remove_checkpoints
from trainables.workers.process_group import FailedPeerError, Rendezvous

KEY = "key"
ONE, TWO = ResourceSpec(), ResourceSpec(zero=2)


def _state(folder: Path) -> dict[str, str]:
    (folder / "state").mkdir()
    return {
        f"state/{name}": write_state({"tensor": torch.arange(300.0)}, folder / "state" / name)
        for name in ("model.pt", "optimizer.pt")
    }


def _checkpoints(root: Path, resources: ResourceSpec = ONE) -> StepCheckpoints:
    return StepCheckpoints(LocalStore(root), KEY, resources, Context())


def _folder(root: Path) -> Path:
    return root / layout.checkpoints(KEY)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A storage with the checkpoints of steps 20 and 30; that of step 10 has gone."""
    for step in (10, 20, 30):
        _checkpoints(tmp_path).save(step, _state)
    return tmp_path


def _steps(root: Path) -> list[int]:
    names = LocalStore(root).folders(layout.checkpoints(KEY))
    return [int(name.split("-")[0]) for name in names if name.endswith(f"-{layout.CHECKPOINT_FORMAT}")]


def _newest_step(root: Path, resources: ResourceSpec = ONE) -> int | None:
    newest = _checkpoints(root, resources).newest()
    return None if newest is None else int(newest.name.split("-")[0])


def test_save_keeps_the_newest_and_newest_returns_the_last(root: Path) -> None:
    assert _steps(root) == [20, 30]
    assert len(_steps(root)) == KEPT_CHECKPOINTS
    newest = _checkpoints(root).newest()
    assert newest is not None
    assert newest.name == f"00000030-{layout.CHECKPOINT_FORMAT}"
    with open_state(newest / "state" / "model.pt") as state:
        assert torch.equal(state["tensor"][:], torch.arange(300.0))


def test_newest_without_a_checkpoint_is_none(tmp_path: Path) -> None:
    assert _newest_step(tmp_path) is None


def _flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) * 6 // 10] ^= 1
    path.write_bytes(data)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "absent": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "no fields": lambda path: path.write_bytes(b"{}"),
    "a list": lambda path: path.write_bytes(b"[1, 2]"),
    "binary": lambda path: path.write_bytes(b"\x93NUMPY\x00\xff\xfe" * 8),
    "of the same size": lambda path: path.write_bytes(b"\x00" * path.stat().st_size),
    "one bit": _flip_a_bit,
}


@pytest.mark.parametrize("file", ["manifest.json", "state/model.pt", "state/optimizer.pt"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_newest_passes_over_a_damaged_checkpoint_and_names_it(
    root: Path, file: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    last = _folder(root) / f"00000030-{layout.CHECKPOINT_FORMAT}"
    DAMAGES[damage](last / file)
    checkpoints = _checkpoints(root)
    with caplog.at_level(logging.WARNING):
        newest = checkpoints.newest()
    assert newest is not None
    assert newest.name == f"00000020-{layout.CHECKPOINT_FORMAT}"
    (warning,) = caplog.messages
    assert str(last) in warning
    assert file in warning
    assert "an earlier checkpoint is used, or the stage starts anew" in warning
    assert list(checkpoints.passed_over) == [str(last)]
    assert _steps(root) == [20]
    _checkpoints(root).save(30, _state)  # the same step is reached again
    assert _steps(root) == [20, 30]


def test_newest_of_damaged_checkpoints_alone_is_none_and_all_are_named(root: Path) -> None:
    for step in _steps(root):
        (_folder(root) / f"{step:08d}-{layout.CHECKPOINT_FORMAT}" / "state" / "model.pt").unlink()
    checkpoints = _checkpoints(root)
    assert checkpoints.newest() is None
    assert len(checkpoints.passed_over) == 2


def test_a_folder_that_was_half_removed_is_passed_over(root: Path) -> None:
    last = _folder(root) / f"00000030-{layout.CHECKPOINT_FORMAT}"
    for file in (last / "manifest.json", last / "state" / "model.pt"):
        file.unlink()
    (_folder(root) / f"00000040-{layout.CHECKPOINT_FORMAT}").mkdir()
    assert _newest_step(root) == 20


def test_the_newest_checkpoint_is_used_whatever_group_has_written_it_and_the_group_is_named(root: Path) -> None:
    checkpoints = _checkpoints(root, TWO)
    newest = checkpoints.newest()
    assert newest is not None
    assert newest.name[:8] == "00000030"
    assert checkpoints.written_by.startswith("workers 1 on cpu, ZeRO 0, offload none")
    assert not checkpoints.passed_over
    own = _checkpoints(root)
    own.newest()
    assert own.written_by == ""


def test_groups_that_train_one_stage_in_turns_share_its_checkpoints(root: Path) -> None:
    _checkpoints(root, TWO).save(40, _state)
    assert _steps(root) == [30, 40]
    assert (_newest_step(root), _newest_step(root, TWO)) == (40, 40)


GROUPS = {
    "workers": ResourceSpec(workers=2),
    "ZeRO": ResourceSpec(zero=1),
    "offload": ResourceSpec(zero=1, offload="optimizer"),
    "own settings": ResourceSpec(deepspeed={"zero_optimization": {"round_robin_gradients": True}}),
    "deterministic": ResourceSpec(deterministic=True),
    "compiled": ResourceSpec(compile=True),
}


def test_groups_are_told_apart_by_what_may_change_rounding() -> None:
    described = {group_description(resources, Context()) for resources in (ONE, *GROUPS.values())}
    assert len(described | {group_description(ONE, Context(device="cuda"))}) == len(GROUPS) + 2


@pytest.mark.parametrize("name", ["00000030", "00000030-1cpu_zero0_0123abcd"])
def test_a_checkpoint_of_an_earlier_format_is_passed_over_and_left_until_the_stage_ends(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = f"{layout.checkpoints(KEY)}/{name}"
    store = LocalStore(tmp_path)
    store.put(f"{old}/state/mp_rank_00_model_states.pt", b"of an earlier format")
    write(store, f"{old}/manifest.json", CheckpointManifest("workers 1, ZeRO 0", {"state/mp.pt": 8}))
    checkpoints = _checkpoints(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert checkpoints.newest() is None
    assert "another version of this program" in checkpoints.passed_over[store.place(old)]
    assert "it is left where it is" in caplog.text
    for step in (10, 20, 25):
        _checkpoints(tmp_path).save(step, _state)
    assert (_steps(tmp_path), _newest_step(tmp_path)) == ([20, 25], 25)
    assert store.exists(old)
    remove_checkpoints(store, KEY)
    assert not store.exists(layout.checkpoints(KEY))


def test_two_groups_that_write_the_same_step_at_a_time_leave_one_whole_checkpoint(tmp_path: Path) -> None:
    def write_while_another_does(folder: Path) -> dict[str, str]:
        files = _state(folder)
        _checkpoints(tmp_path).save(10, _state)
        return files

    _checkpoints(tmp_path).save(10, write_while_another_does)
    assert _newest_step(tmp_path) == 10
    assert [path.name for path in _folder(tmp_path).iterdir()] in (
        [f"00000010-{layout.CHECKPOINT_FORMAT}", "writing.aside"],
        ["writing.aside", f"00000010-{layout.CHECKPOINT_FORMAT}"],
    )
    assert not list((_folder(tmp_path) / "writing.aside").iterdir())


def test_what_another_group_is_writing_survives_the_end_of_the_stage(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)

    def write_while_another_ends(folder: Path) -> dict[str, str]:
        files = _state(folder)
        _checkpoints(tmp_path).save(20, _state)
        remove_checkpoints(store, KEY)
        return files

    _checkpoints(tmp_path).save(10, write_while_another_ends)
    assert _newest_step(tmp_path) == 10
    remove_checkpoints(store, KEY)
    assert not store.exists(layout.checkpoints(KEY))


def test_what_could_not_be_written_is_removed(root: Path) -> None:
    def fail(folder: Path) -> dict[str, str]:
        _state(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        _checkpoints(root).save(40, fail)
    assert not list((_folder(root) / "writing.aside").iterdir())
    assert _newest_step(root) == 30


_KILLED_WRITER = """
import os, sys
from pathlib import Path
from search_spaces.resource_spec import ResourceSpec
from trainables.storage.store import LocalStore
from trainables.task import Context
from trainables.training.step_checkpoints import StepCheckpoints

def write_half(folder):
    (folder / "half").write_bytes(b"half")
    os._exit(9)

StepCheckpoints(LocalStore(Path(sys.argv[1])), "key", ResourceSpec(), Context()).save(40, write_half)
"""


def test_what_a_killed_group_has_left_is_removed_by_the_next_checkpoint(root: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED_WRITER, str(root)], check=False)
    assert killed.returncode == 9
    assert list((_folder(root) / "writing.aside").glob("*/checkpoint/half"))
    assert _newest_step(root) == 30
    _checkpoints(root).save(40, _state)
    assert not list((_folder(root) / "writing.aside").iterdir())


def test_a_checkpoint_is_flushed_before_it_gets_its_name_and_the_name_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fsync, rename = os.fsync, os.rename

    def note_fsync(descriptor: int) -> None:
        calls.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    def note_rename(source: Path, target: Path) -> None:
        calls.append(f"to {Path(target).name}")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "rename", note_rename)
    _checkpoints(tmp_path).save(10, _state)
    named = calls.index(f"to 00000010-{layout.CHECKPOINT_FORMAT}")
    assert {"model.pt", "optimizer.pt", "manifest.json", "state", "checkpoint"} <= set(calls[:named])
    assert "checkpoints" in calls[named:]


def _rank_of_two(root: Path, rank: int, addresses: Any, answers: Any) -> None:
    """Write checkpoints of two ranks, damage a file of the second, and answer what each would go on from."""
    meeting = Rendezvous()
    address = meeting.listen("127.0.0.1", 2) if rank == 0 else addresses.get(timeout=60)
    if rank == 0:
        addresses.put(address)
    meeting.join(address, rank, 2, "cpu", rank)
    context, pair = Context(rank=rank, world=2, local_rank=rank), ResourceSpec(workers=2)

    def write_own(folder: Path) -> dict[str, str]:
        (folder / "state").mkdir(exist_ok=True)
        name = f"state/rank-{rank}.pt"
        return {name: write_state({"rank": rank}, folder / name)}

    for step in (10, 20, 30):
        StepCheckpoints(LocalStore(root), KEY, pair, context).save(step, write_own)
    if rank == 1:
        _flip_a_bit(_folder(root) / f"00000030-{layout.CHECKPOINT_FORMAT}" / "state" / "rank-1.pt")
    torch.distributed.barrier()
    checkpoints = StepCheckpoints(LocalStore(root), KEY, pair, context)
    newest = checkpoints.newest()
    assert newest is not None
    with open_state(newest / "state" / f"rank-{rank}.pt") as state:
        answers.put((rank, newest.name[:8], state["rank"], list(checkpoints.passed_over.values())))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_two_ranks_write_one_checkpoint_and_agree_on_the_newest_whole_one(tmp_path: Path) -> None:
    addresses, answers = CLEAN.Queue(), CLEAN.Queue()
    processes = [CLEAN.Process(target=_rank_of_two, args=(tmp_path, rank, addresses, answers)) for rank in (0, 1)]
    for process in processes:
        process.start()
    told = sorted(answers.get(timeout=120) for _ in processes)
    for process in processes:
        process.join(timeout=60)
    assert [(name, own) for _, name, own, _ in told] == [("00000020", 0), ("00000020", 1)]
    assert told[0][3] == told[1][3]
    assert "the file state/rank-1.pt: it must have the SHA-256" in told[0][3][0]
    names = LocalStore(tmp_path).folders(layout.checkpoints(KEY))
    assert [name[:8] for name in names] == ["00000020"]


def _save_beside_a_full_disk(rank: int, root: Path) -> str:
    """Save as one of two ranks, the second of which cannot write its part, and return how that ended."""

    def write_own(folder: Path) -> dict[str, str]:
        name = f"rank-{rank}.pt"
        digest = write_state({"rank": rank}, folder / name)
        if rank == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return {name: digest}

    checkpoints = StepCheckpoints(LocalStore(root), KEY, ResourceSpec(workers=2), Context(rank, 2, rank))
    try:
        checkpoints.save(10, write_own)
    except (OSError, FailedPeerError) as error:
        return str(error)
    return ""


def test_a_rank_that_cannot_write_its_part_fails_on_all_ranks_and_leaves_nothing(tmp_path: Path) -> None:
    told = answers_of_two(_save_beside_a_full_disk, tmp_path)
    assert "No space left on device" in told[1]
    assert "rank 1 has failed" in told[0]
    assert not list(_folder(tmp_path).glob("writing.aside/*"))
    assert not LocalStore(tmp_path).folders(layout.checkpoints(KEY))


def _fail_to_digest(*arguments: object) -> Any:
    raise OSError(errno.EIO, "Input/output error")


def test_newest_that_cannot_be_read_now_ends_with_the_error_and_every_checkpoint_stays(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as failing:
        failing.setattr(hashlib, "file_digest", _fail_to_digest)
        with pytest.raises(OSError, match="Input/output error"):
            _newest_step(root)
    assert _steps(root) == [20, 30]
    assert _newest_step(root) == 30


def test_newest_that_is_read_wrongly_once_is_used(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest_of, reads = hashlib.file_digest, itertools.count()

    def wrong_once(file: Any, kind: Any) -> Any:
        return digest_of(file, kind) if next(reads) else hashlib.sha256(b"other bytes")

    monkeypatch.setattr(hashlib, "file_digest", wrong_once)
    assert _newest_step(root) == 30
    assert _steps(root) == [20, 30]


def test_what_is_damaged_is_kept_aside_until_the_stage_is_done(root: Path) -> None:
    for step in _steps(root):
        _flip_a_bit(_folder(root) / f"{step:08d}-{layout.CHECKPOINT_FORMAT}" / "state" / "model.pt")
    assert _newest_step(root) is None
    kept = [name for name in map(str, root.rglob("model.pt")) if ".broken-" in name]
    assert len(kept) == 2
    assert {file_class(os.path.relpath(name, root)) for name in kept} == {"asides"}
    remove_checkpoints(LocalStore(root), KEY)
    assert not _folder(root).exists()


def test_who_writes_into_a_checkpoint_that_was_given_up_leaves_nothing_there(tmp_path: Path) -> None:
    first, second = (StepCheckpoints(LocalStore(tmp_path), KEY, TWO, Context(rank=rank)) for rank in (0, 1))
    nonce = first.begin()
    with second.writing(nonce) as folder:
        first.give_up(nonce)
        folder.mkdir(parents=True)
        _state(folder)
    with pytest.raises(FileNotFoundError, match="given up"), second.writing(nonce):
        pass
    assert not list(_folder(tmp_path).glob("writing.aside/*"))
