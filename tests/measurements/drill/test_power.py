"""A power cut leaves what was flushed, and may take everything else; what it leaves depends on the seed alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from measurements.drill.interposer import Control, Disturbance, compiled
from measurements.drill.operations import read_log
from measurements.drill.power import Mode, StorageModel, cut_power

FLUSHED = """
def flush(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
"""


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("library"))


def left_of(program: str, tmp_path: Path, library: Path, mode: Mode = "strict", seed: int = 1) -> dict[str, bytes]:
    """Run a program in an empty folder, cut the power, and read what is left of its files."""
    root = tmp_path / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    model = StorageModel(root)
    control = Control(tmp_path, root, Disturbance(), library, with_shadows=True)
    environment = {**os.environ, **control.environment(library, "tester")}
    subprocess.run([sys.executable, "-c", f"import os\n{FLUSHED}\n{program}"], cwd=root, env=environment, check=True)
    for record in read_log(control.log):
        model.apply(record, control.shadows)
    cut_power(root, model, tmp_path / "aside", mode, seed)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


WHOLE = """
with open("aside", "wb") as file:
    file.write(b"new")
flush("aside")
os.rename("aside", "result")
flush(".")
"""


@pytest.mark.parametrize("mode", ["strict", "ordered", "torn"])
@pytest.mark.parametrize("seed", range(5))
def test_what_was_flushed_and_renamed_in_a_flushed_folder_is_there(
    mode: Mode, seed: int, tmp_path: Path, library: Path
) -> None:
    assert left_of(WHOLE, tmp_path, library, mode, seed) == {"result": b"new"}


@pytest.mark.parametrize(
    ("program", "left"),
    [
        ("open('a', 'w').write('x')", {}),
        ("open('a', 'w').write('x'); flush('.')", {"a": b""}),
        ("open('a', 'w').write('x'); flush('a')", {}),
        ("open('a', 'w').write('x'); flush('a'); flush('.'); open('a', 'a').write('y')", {"a": b"x"}),
        ("open('a', 'w').write('x'); flush('a'); flush('.'); os.rename('a', 'b')", {"a": b"x"}),
        ("open('a', 'w').write('x'); flush('a'); flush('.'); os.unlink('a')", {"a": b"x"}),
        ("os.mkdir('f'); open('f/a', 'w').write('x'); flush('f/a'); flush('f')", {}),
        ("os.mkdir('f'); flush('.'); open('f/a', 'w').write('x'); flush('f/a'); flush('f')", {"f/a": b"x"}),
        (
            "os.mkdir('f'); open('f/a', 'w').write('x'); flush('f/a'); flush('f'); flush('.')\n"
            "os.rename('f/a', 'a'); flush('.')",
            {"a": b"x"},
        ),
        (
            "import mmap; open('a', 'wb').write(b'1234'); flush('a'); flush('.'); file = open('a', 'r+b')\n"
            "mapped = mmap.mmap(file.fileno(), 4); mapped[0:1] = b'x'",
            {"a": b"1234"},
        ),
    ],
)
def test_strictly_nothing_else_is_there(program: str, left: dict[str, bytes], tmp_path: Path, library: Path) -> None:
    assert left_of(program, tmp_path, library) == left


def test_contents_that_were_not_flushed_come_in_every_form(tmp_path: Path, library: Path) -> None:
    program = "open('a', 'w').write('x' * 8); flush('.')"
    forms = {left_of(program, tmp_path, library, "ordered", seed)["a"] for seed in range(20)}
    assert forms == {b"", b"xxxx", b"xxxxxxxx", bytes(8)}


def test_folders_lose_their_names_independently_only_when_torn(tmp_path: Path, library: Path) -> None:
    program = "os.mkdir('f'); os.mkdir('g'); flush('.'); open('f/1', 'w').close(); open('g/2', 'w').close()"
    torn = {tuple(left_of(program, tmp_path, library, "torn", seed)) for seed in range(20)}
    ordered = {tuple(left_of(program, tmp_path, library, "ordered", seed)) for seed in range(20)}
    assert ("g/2",) in torn
    assert ordered <= {(), ("f/1",), ("f/1", "g/2"), ("g/2", "f/1")}


def test_equal_seeds_leave_equal_files(tmp_path: Path, library: Path) -> None:
    program = "[open(str(number), 'w').write('x' * 50) for number in range(9)]; flush('.')"
    first, second = (left_of(program, tmp_path, library, "torn", 3) for _ in range(2))
    assert first == second


def test_a_log_that_does_not_account_for_all_files_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    model = StorageModel(root)
    (root / "unseen").touch()
    with pytest.raises(LookupError, match="unseen"):
        cut_power(root, model, tmp_path / "aside", "strict", 1)


def test_a_rename_by_a_direct_system_call_is_found_by_the_inode(tmp_path: Path, library: Path) -> None:
    """So does safetensors, whose files then are flushed under their new name."""
    program = """
import ctypes
open("aside", "w").write("x")
direct, here = ctypes.CDLL(None).syscall, -100
renameat2 = {"x86_64": 316, "aarch64": 276}[os.uname().machine]
assert direct(renameat2, here, b"aside", here, b"result", 0) == 0
flush("result")
flush(".")
os.rename("result", "last")
flush(".")
"""
    assert left_of(program, tmp_path, library) == {"last": b"x"}
    assert left_of(program.replace('flush("result")', ""), tmp_path, library) == {"last": b""}
