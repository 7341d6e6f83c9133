"""A stage resumes from its newest whole step checkpoint; damaged ones are named, removed and passed over."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from search_spaces.resource_spec import ResourceSpec
from search_spaces.resources import KEPT_CHECKPOINTS
from trainables.storage import layout
from trainables.storage.store import LocalStore
from trainables.task import Context
from trainables.training.step_checkpoints import StepCheckpoints

KEY = "key"


def _state(folder: Path) -> None:
    (folder / "state").mkdir()
    (folder / "state" / "model.pt").write_bytes(b"weights" * 100)
    (folder / "state" / "optimizer.pt").write_bytes(b"moments" * 100)


def _checkpoints(root: Path, resources: ResourceSpec | None = None) -> StepCheckpoints:
    return StepCheckpoints(LocalStore(root), KEY, resources or ResourceSpec(), Context())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A storage with the checkpoints of steps 20 and 30; that of step 10 has gone."""
    for step in (10, 20, 30):
        _checkpoints(tmp_path).save(step, _state)
    return tmp_path


def _steps(root: Path) -> list[str]:
    return sorted(path.name for path in (root / layout.checkpoints(KEY)).iterdir())


def test_save_keeps_the_newest_and_newest_returns_the_last(root: Path) -> None:
    assert _steps(root) == ["00000020", "00000030"]
    assert len(_steps(root)) == KEPT_CHECKPOINTS
    newest = _checkpoints(root).newest()
    assert newest is not None
    assert newest.name == "00000030"
    assert (newest / "state" / "model.pt").read_bytes() == b"weights" * 100


def test_newest_without_a_checkpoint_is_none(tmp_path: Path) -> None:
    assert _checkpoints(tmp_path).newest() is None


DAMAGES: dict[str, Callable[[Path], object]] = {
    "absent": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "no fields": lambda path: path.write_bytes(b"{}"),
    "a list": lambda path: path.write_bytes(b"[1, 2]"),
    "binary": lambda path: path.write_bytes(b"\x93NUMPY\x00\xff\xfe" * 8),
}


@pytest.mark.parametrize("file", ["manifest.json", "state/model.pt", "state/optimizer.pt"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_newest_passes_over_a_damaged_checkpoint_and_names_it(
    root: Path, file: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    last = root / layout.checkpoints(KEY) / "00000030"
    DAMAGES[damage](last / file)
    with caplog.at_level(logging.WARNING):
        newest = _checkpoints(root).newest()
    assert newest is not None
    assert newest.name == "00000020"
    assert str(last) in caplog.text
    assert file in caplog.text
    _checkpoints(root).save(30, _state)  # the same step is reached again
    assert _steps(root) == ["00000020", "00000030"]


def test_newest_of_damaged_checkpoints_alone_is_none(root: Path) -> None:
    for step in _steps(root):
        (root / layout.checkpoints(KEY) / step / "state" / "model.pt").unlink()
    assert _checkpoints(root).newest() is None


def test_newest_passes_over_what_another_shape_of_group_has_written(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert _checkpoints(root, ResourceSpec(zero=2)).newest() is None
    assert "was written by workers 1, ZeRO 0" in caplog.text
    _checkpoints(root, ResourceSpec(zero=2)).save(20, _state)
    assert _steps(root) == ["00000020"]
