"""A whole run whose storage is a disk that gets full on the way."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import SMALL, ablate
from tests.support.followed_run import followed_run, read_until

DISK = "256m"
STUDY = SMALL.replace("[gelu-mlp, linear]", "[gelu-mlp]").replace("easy-vqa\n", "[easy-vqa-shape]\n")
OPTIONS = ("--toy", "--offline")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own; it is unmounted at the end."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"only who may mount has a disk to fill: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(STUDY)
    return file


def fill(disk: Path) -> Path:
    """Write a file as large as the disk allows."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while free := shutil.disk_usage(disk).free:
            file.write(os.urandom(min(free, 1_000_000)))
    return ballast


def weights(storage: Path) -> list[str]:
    return sorted(file.name for file in storage.glob("stages/*/*.safetensors"))


@pytest.mark.ray
def test_a_run_on_a_disk_that_gets_full_pauses_and_goes_on_by_itself_once_there_is_room(
    disk: Path, study: Path
) -> None:
    storage = disk / "s"
    with followed_run(study, storage, *OPTIONS) as run:
        read_until(run, "started")
        ballast = fill(disk)
        paused = read_until(run, "PAUSED").splitlines()[-1]
        assert "no space is left" in paused
        assert str(storage) in paused
        ballast.unlink()
        said, _ = run.communicate()
    assert run.returncode == 0, said
    assert "storage can be written to again" in said
    assert weights(storage)


@pytest.mark.ray
@pytest.mark.slow
def test_a_run_that_is_told_not_to_wait_ends_with_3_and_the_same_command_goes_on(disk: Path, study: Path) -> None:
    storage = disk / "s"
    with followed_run(study, storage, *OPTIONS, "--on-storage-trouble", "exit") as run:
        read_until(run, "started")
        ballast = fill(disk)
        said, _ = run.communicate()
    assert run.returncode == 3, said
    assert "Traceback" not in said
    assert sum("no space is left" in line for line in said.splitlines()) >= 1
    beginning = ablate("run", str(study), *OPTIONS, storage=storage, check=3)
    assert "no space is left" in beginning.stderr
    assert "Traceback" not in beginning.stderr
    ballast.unlink()
    ablate("run", str(study), *OPTIONS, storage=storage)
    assert weights(storage)
