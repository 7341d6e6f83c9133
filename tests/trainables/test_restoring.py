"""What a trial finds damaged it makes again, to the same bytes, if its run has the lease; else it goes no further."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from search_spaces.outcomes import NodeDone
from tests.support.tiny_specs import stage
from tests.support.tiny_trials import losses, make_task, run
from trainables.run_trial import run_trial
from trainables.storage import layout
from trainables.storage.damages import DamagedArtifactError
from trainables.storage.record_files import write
from trainables.storage.records import DamageMark
from trainables.storage.store import LocalStore
from trainables.task import Context, TrialTask

STAGES = (stage(name="align", max_steps=2), stage(name="finetune", trains=("projector", "language"), max_steps=2))
DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "absent": lambda content: None,
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "garbage": lambda content: b"\x93NUMPY\x00\xff\xfe" * (len(content) // 8 + 1),
    "one bit": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
}
FILES = {
    "weights": "stages/{last}/language.safetensors",
    "stage result": "stages/{first}/result.json",
    "examples": "evaluations/*/shapes.parquet",
    "evaluation": "evaluations/*/shapes.json",
    "trial result": "studies/tiny/trials/tiny/result.json",
    "features": "features/{features}/features.npy",
    "feature digests": "features/{features}/rows.sha256",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrialTask, Path]:
    root = tmp_path_factory.mktemp("finished")
    task = make_task(root, stages=STAGES)
    run(task)
    return task, root


def _copy(finished: tuple[TrialTask, Path], root: Path) -> TrialTask:
    task, storage = finished
    shutil.copytree(storage, root)
    return task.model_copy(update={"storage": str(root), "data": str(root)})


def _file(task: TrialTask, root: Path, kind: str) -> Path:
    keys = {"first": task.stages[0].key, "last": task.stages[1].key, "features": task.features[-1].key}
    (path,) = root.glob(FILES[kind].format(**keys))
    return path


def _content(root: Path) -> dict[str, bytes]:
    """Read all files but those that say when or how long, and the log of a trial."""
    store = LocalStore(root)
    names = [name for folder in ("evaluations", "features", "stages") for name in store.list(folder)]
    return {name: (root / name).read_bytes() for name in names if not name.endswith(".json")}


def _damage(path: Path, way: str) -> None:
    content = DAMAGES[way](path.read_bytes())
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


@pytest.mark.parametrize("way", DAMAGES)
@pytest.mark.parametrize("kind", ["weights", "examples", "evaluation", "features"])
def test_what_is_damaged_is_made_again_to_the_same_bytes(
    finished: tuple[TrialTask, Path], tmp_path: Path, kind: str, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "copy"
    task = _copy(finished, root)
    if kind in ("weights", "features"):  # which a model needs that is asked again
        shutil.rmtree(root / "evaluations")
    path = _file(task, root, kind)
    _damage(path, way)
    if (kind, way) == ("features", "one bit"):
        with pytest.raises(DamagedArtifactError, match=r"features\.npy"):
            run(task)
    run(task)
    assert _content(root) == _content(finished[1])
    said = capsys.readouterr().out
    assert str(path) in said or (kind, way) == ("evaluation", "absent")
    assert losses(run(task)) == []


@pytest.mark.parametrize("kind", ["stage result", "feature digests", "trial result"])
def test_a_damaged_record_is_written_again(finished: tuple[TrialTask, Path], tmp_path: Path, kind: str) -> None:
    root = tmp_path / "copy"
    task = _copy(finished, root)
    _damage(_file(task, root, kind), "half")
    run(task)
    assert _content(root) == _content(finished[1])
    assert list(root.rglob("*.broken-*.aside"))


def test_weights_that_nothing_reads_are_left_as_they_are(finished: tuple[TrialTask, Path], tmp_path: Path) -> None:
    root = tmp_path / "copy"
    task = _copy(finished, root)
    path = _file(task, root, "weights")
    _damage(path, "one bit")
    before = path.read_bytes()
    assert losses(run(task)) == []
    assert path.read_bytes() == before


def test_who_has_not_the_lease_marks_the_damage_and_touches_nothing(
    finished: tuple[TrialTask, Path], tmp_path: Path
) -> None:
    root = tmp_path / "copy"
    task = _copy(finished, root)
    shutil.rmtree(root / "evaluations")
    path = _file(task, root, "weights")
    _damage(path, "one bit")
    before = path.read_bytes()
    store, stage = LocalStore(root), task.stages[1]
    with pytest.raises(DamagedArtifactError, match=r"language\.safetensors: must be complete"):
        run(task.model_copy(update={"leased": (task.stages[0].node,)}))
    assert path.read_bytes() == before
    assert store.exists(layout.damage_mark(layout.stage_folder(stage.key)))
    run(task.model_copy(update={"leased": (stage.node,)}))
    assert _content(root) == _content(finished[1])


def test_a_mark_of_weights_that_were_replaced_is_gone_once_the_stage_has_a_result(
    finished: tuple[TrialTask, Path], tmp_path: Path
) -> None:
    root = tmp_path / "copy"
    task = _copy(finished, root)
    shutil.rmtree(root / "evaluations")
    store, folder = LocalStore(root), layout.stage_folder(task.stages[1].key)
    store.remove(folder)
    write(store, layout.damage_mark(folder), DamageMark(f"{folder}/language.safetensors", "a bit is another", "n1", 1))
    run(task)
    assert not store.exists(layout.damage_mark(folder))
    assert _content(root) == _content(finished[1])


@pytest.mark.parametrize("folder", ["features/{features}", "stages/{last}"])
def test_what_is_not_there_is_not_produced_without_its_lease(
    finished: tuple[TrialTask, Path], tmp_path: Path, folder: str
) -> None:
    """Another trial has set it aside and makes it again; this one is tried again once that is done."""
    root = tmp_path / "copy"
    task = _copy(finished, root)
    shutil.rmtree(root / "evaluations")
    kept = root / folder.format(last=task.stages[1].key, features=task.features[-1].key)
    kept.rename(tmp_path / "kept")
    with pytest.raises(DamagedArtifactError, match=r"result\.json: must be complete.*not there"):
        run(task.model_copy(update={"leased": ()}))
    assert not kept.exists()
    (tmp_path / "kept").rename(kept)
    run(task.model_copy(update={"leased": ()}))
    assert _content(root) == _content(finished[1])


def test_a_stage_that_goes_while_a_trial_runs_is_not_trained_without_its_lease(
    finished: tuple[TrialTask, Path], tmp_path: Path
) -> None:
    root = tmp_path / "copy"
    task = _copy(finished, root).model_copy(update={"leased": ()})
    shutil.rmtree(root / "evaluations")
    loop = run_trial(task, Context())
    assert next(loop) == NodeDone(task.features[0].node)
    shutil.rmtree(root / "stages" / task.stages[1].key)
    with pytest.raises(DamagedArtifactError, match=r"result\.json: must be complete.*not there"):
        list(loop)
