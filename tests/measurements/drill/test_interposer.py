"""The chosen operation is disturbed, in the way that was chosen, and no other; all are logged in their order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from measurements.drill.interposer import Action, Choice, Control, Disturbance, compiled
from measurements.drill.operations import HIT, read_log
from search_spaces.errors import InputError

HIT_WITHIN_S = 60.0

WRITES_AND_RENAMES = """
import os, sys
for name in ("a", "b"):
    with open(name + ".aside", "wb", buffering=0) as file:
        file.write(b"0123456789")
        os.fsync(file.fileno())
    os.rename(name + ".aside", name)
"""


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("library"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def start(library: Path, control: Control, root: Path, program: str = WRITES_AND_RENAMES) -> subprocess.Popen[str]:
    environment = {**os.environ, **control.environment(library, "tester")}
    return subprocess.Popen(
        [sys.executable, "-c", program], cwd=root, env=environment, stderr=subprocess.PIPE, text=True
    )


def ended(library: Path, control: Control, root: Path, program: str = WRITES_AND_RENAMES) -> tuple[int, str]:
    """Run a program to its end, and return its exit code and what it wrote to stderr."""
    process = start(library, control, root, program)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def wait_for_hit(control: Control, process: subprocess.Popen[str]) -> None:
    """Wait until the chosen operation has come; fails if the process ends before, or after a minute."""
    deadline = time.monotonic() + HIT_WITHIN_S
    while not control.is_hit:
        assert process.poll() is None, "the process has ended, and its operation was not held"
        assert time.monotonic() < deadline, f"the operation has not come within {HIT_WITHIN_S:.0f} s"
        time.sleep(0.01)


def names(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()}


def test_all_operations_below_the_root_are_logged_in_their_order(library: Path, tmp_path: Path, root: Path) -> None:
    control = Control(tmp_path, root, Disturbance(), library)
    assert ended(library, control, root) == (0, "")
    records = list(read_log(control.log))
    assert [(record.operation, record.path, record.second) for record in records[:4]] == [
        ("C", "a.aside", ""),
        ("W", "a.aside", ""),
        ("F", "a.aside", ""),
        ("R", "a.aside", "a"),
    ]
    assert [record.number for record in records] == list(range(1, 9))
    assert {record.role for record in records} == {"tester"}
    assert records[1].size == 10


@pytest.mark.parametrize(
    ("action", "operation", "left", "b_aside"),
    [("kill", "R", {"a", "b.aside"}, b"0123456789"), ("half", "W", {"a", "b.aside"}, b"01234")],
)
def test_a_process_dies_at_the_operation_that_was_chosen(
    action: Action,
    operation: str,
    left: set[str],
    b_aside: bytes,
    library: Path,
    tmp_path: Path,
    root: Path,
) -> None:
    control = Control(tmp_path, root, Disturbance(action, Choice(operation, "", 2)), library)
    code, _ = ended(library, control, root)
    assert code == -signal.SIGKILL
    assert control.is_hit
    assert names(root) == left
    assert (root / "b.aside").read_bytes() == b_aside
    *_, hit = read_log(control.log)
    assert hit.operation == HIT


def test_a_choice_counts_only_what_matches_its_pattern_and_its_role(library: Path, tmp_path: Path, root: Path) -> None:
    control = Control(tmp_path, root, Disturbance("kill", Choice("W", "^b", 1, "somebody else")), library)
    assert ended(library, control, root) == (0, "")
    assert not control.is_hit
    control = Control(tmp_path, root, Disturbance("kill", Choice("W", "^b", 1, "tester")), library)
    assert ended(library, control, root)[0] == -signal.SIGKILL
    assert (root / "b.aside").read_bytes() == b""


def test_an_operation_fails_once_or_from_then_on(library: Path, tmp_path: Path, root: Path) -> None:
    program = """
import sys
for name in "abc":
    try:
        with open(name, "wb", buffering=0) as file:
            file.write(b"0123456789")
    except OSError as error:
        print(name, error.strerror, file=sys.stderr)
"""
    once = Control(tmp_path, root, Disturbance("fail once", Choice("W", "", 2), "ENOSPC"), library)
    assert ended(library, once, root, program) == (0, "b No space left on device\n")
    on = Control(tmp_path, root, Disturbance("fail on", Choice("W", "^b", 1), "ENOSPC"), library)
    assert ended(library, on, root, program)[1].splitlines() == [
        "b No space left on device",
        "c No space left on device",
    ]


def test_an_operation_that_is_held_goes_on_when_it_is_released(library: Path, tmp_path: Path, root: Path) -> None:
    control = Control(tmp_path, root, Disturbance("hold", Choice("R", "", 1)), library)
    process = start(library, control, root)
    wait_for_hit(control, process)
    assert names(root) == {"a.aside"}
    control.release()
    assert process.wait(timeout=60) == 0
    assert names(root) == {"a", "b"}


def test_a_control_that_was_told_to_count_counts_from_then_on(library: Path, tmp_path: Path, root: Path) -> None:
    control = Control(tmp_path, root, Disturbance("kill", Choice("R", "", 0)), library)
    assert ended(library, control, root) == (0, "")
    assert not control.is_hit
    control.count(2)
    assert ended(library, control, root)[0] == -signal.SIGKILL
    assert names(root) == {"a", "b", "b.aside"}


def test_without_a_compiler_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(InputError, match="no-such-compiler: must be there"):
        compiled(tmp_path)
