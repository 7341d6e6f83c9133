"""What lies in a step checkpoint is data: nothing of it runs, and what is not whole is not used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search_spaces.outcomes import Progress
from tests.support.gloo_pair import run_on_two
from tests.support.hostile_files import replace_state
from tests.support.tiny_trials import losses, make_task, run, run_until
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import Resumes, StageResult
from trainables.storage.restarts import last_restart
from trainables.storage.spool import read_spool
from trainables.storage.store import LocalStore
from trainables.task import TrialTask


def _task(root: Path, **resources: Any) -> TrialTask:
    return make_task(root, benchmarks=(), **{"checkpoint_every_steps": 2, **resources})


def _stop_behind_step_5(task: TrialTask) -> list[Progress]:
    """Run a trial and stop it while the checkpoints of steps 2 and 4 are there."""
    return run_until(task, 5)


def _checkpoints(task: TrialTask) -> list[Path]:
    root = Path(task.storage) / layout.checkpoints(task.stages[0].key)
    return sorted(path for path in root.iterdir() if not path.name.endswith(".aside"))


def _states(checkpoint: Path) -> list[Path]:
    return sorted(path for path in checkpoint.rglob("rank-*"))


def _weights(task: TrialTask) -> tuple[object, object]:
    result = read(LocalStore(Path(task.storage)), layout.stage_result(task.stages[0].key), StageResult)
    assert result is not None
    return result.modules, result.losses_digest


def _resumes(task: TrialTask) -> Resumes:
    resumes = read(LocalStore(Path(task.storage)), layout.trial_resumes(task.study, task.id), Resumes)
    assert resumes is not None
    return resumes


SHAPES: tuple[dict[str, Any], ...] = (
    {"zero": 0},
    {"zero": 1},
    {"zero": 2, "offload": "optimizer"},
    {"zero": 3, "offload": "optimizer+params"},
)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_no_code_in_any_file_of_a_checkpoint_runs_and_the_trial_ends_as_an_undisturbed_one(
    shape: dict[str, Any], tmp_path: Path
) -> None:
    whole, cut, proof = _task(tmp_path / "whole", **shape), _task(tmp_path / "cut", **shape), tmp_path / "proof"
    run(whole)
    _stop_behind_step_5(cut)
    older, newer = _checkpoints(cut)
    for checkpoint in (older, newer):
        for file in _states(checkpoint):
            replace_state(file, checkpoint, proof)
    run(cut)
    assert not proof.exists()
    assert _weights(cut) == _weights(whole)
    last = _resumes(cut).resumes[-1]
    assert (last.step, list(last.passed_over)) == (0, [str(older), str(newer)])
    assert all("must hold a state as this program writes it" in problem for problem in last.passed_over.values())


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "garbage": lambda data: b"\x00" * len(data),
    "half": lambda data: data[: len(data) // 2],
    "one bit": lambda data: (
        bytes([*data[: len(data) * 6 // 10], data[len(data) * 6 // 10] ^ 1]) + data[len(data) * 6 // 10 + 1 :]
    ),
}


def test_a_damaged_checkpoint_is_passed_over_for_the_older_one_and_said(tmp_path: Path) -> None:
    whole, cut = _task(tmp_path / "whole", zero=2), _task(tmp_path / "cut", zero=2)
    run(whole)
    for damage, change in DAMAGES.items():
        _stop_behind_step_5(cut)
        file = _states(_checkpoints(cut)[-1])[0]
        file.write_bytes(change(file.read_bytes()))
        resumed = losses(_stop_behind_step_5(cut))
        last = _resumes(cut).resumes[-1]
        assert (last.step, len(resumed)) == (2, 2), damage
        assert file.name in str(last.passed_over)
    run(cut)
    assert _weights(cut) == _weights(whole)


def test_a_file_that_the_manifest_does_not_name_is_no_part_of_a_checkpoint(tmp_path: Path) -> None:
    whole, cut = _task(tmp_path / "whole"), _task(tmp_path / "cut")
    run(whole)
    _stop_behind_step_5(cut)
    newest = _checkpoints(cut)[-1]
    (newest / "rank-00000.safetensors.part").write_bytes(b"of a copy that was cut off")
    run(cut)
    assert _resumes(cut).resumes[-1].step == 4
    assert _weights(cut) == _weights(whole)


def test_a_rank_that_is_lost_while_a_checkpoint_is_loaded_is_not_blamed_on_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_a_rank(*arguments: object) -> None:
        raise RuntimeError("Connection closed by peer [10.0.0.2]:41234")  # as gloo says it in a collective

    task = _task(tmp_path, zero=2)
    _stop_behind_step_5(task)
    with monkeypatch.context() as failing:
        failing.setattr("trainables.training.engine.round_masters", lose_a_rank)
        with pytest.raises(RuntimeError, match="Connection closed by peer"):
            run(task)
    _stop_behind_step_5(task)
    assert _resumes(task).resumes[-1].step == 4


def test_a_stage_that_starts_anew_beside_its_checkpoints_says_so_in_log_status_and_tag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = _task(tmp_path)
    _stop_behind_step_5(task)
    for checkpoint in _checkpoints(task):
        _states(checkpoint)[0].unlink()
    capsys.readouterr()
    _stop_behind_step_5(task)
    assert "finetune: starts anew, as none of its 2 checkpoints can be used" in capsys.readouterr().out
    sentence = last_restart(LocalStore(tmp_path), task.study, task.id)
    assert sentence is not None
    assert "finetune was begun anew from step 0, as " in sentence
    assert "(and 1 more checkpoint)" in sentence
    lines = [line for _, line in read_spool(LocalStore(tmp_path), layout.spool(task.study, task.id))]
    assert [line["tags"]["ablate.restarted"] for line in lines if "tags" in line] == [sentence]
    _stop_behind_step_5(task)  # from the checkpoint that was written meanwhile
    assert last_restart(LocalStore(tmp_path), task.study, task.id) is None


def test_two_workers_go_on_to_the_bytes_of_undisturbed_ones_from_the_newest_whole_checkpoint(tmp_path: Path) -> None:
    """ZeRO 0 to 3; in each, other files of the newest checkpoint are damaged, those of the second rank among them."""
    whole, cut = ([_task(tmp_path / f"{name}{zero}", workers=2, zero=zero) for zero in range(4)] for name in "ab")
    expected = run_on_two(whole)
    run_on_two(cut, stop_at=5)
    proof = tmp_path / "proof"
    for zero, task in enumerate(cut):
        newest = _checkpoints(task)[-1]
        file = _states(newest)[-1 - zero % 2]
        (replace_state(file, newest, proof) if zero else file.write_bytes(DAMAGES["one bit"](file.read_bytes())))
    assert [curve[-4:] for curve in run_on_two(cut)] == [curve[-4:] for curve in expected]
    assert not proof.exists()
    assert [_weights(task) for task in cut] == [_weights(task) for task in whole]
    assert [_resumes(task).resumes[-1].step for task in cut] == [2] * 4


def test_checkpoints_are_written_by_time_where_steps_are_few(tmp_path: Path) -> None:
    task = _task(tmp_path, checkpoint_every_steps=500, checkpoint_every_minutes=1e-9)
    _stop_behind_step_5(task)
    assert [path.name[:8] for path in _checkpoints(task)] == ["00000004", "00000005"]
    rare = _task(tmp_path / "rare", checkpoint_every_steps=500, checkpoint_every_minutes=1e9)
    _stop_behind_step_5(rare)
    assert not LocalStore(tmp_path / "rare").exists(layout.checkpoints(rare.stages[0].key))
