"""The page on one's own data: its commands run one after the other in an empty folder, and print what it shows."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import ROOT, ablate

PAGE = (ROOT / "docs" / "own-data.md").read_text()
DRAW = "examples/own-vqa/draw.py"


def steps() -> list[tuple[list[str], list[str]]]:
    """List the commands of the page with the lines that it shows of what they print."""
    found: list[tuple[list[str], list[str]]] = []
    for block in re.findall(r"```\n(\$ .*?)```", PAGE, flags=re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((shlex.split(line.removeprefix("$ ")), []))
            else:
                found[-1][1].append(line)
    return found


def printed(command: list[str], folder: Path) -> str:
    """Run a command of the page in a folder. What `source` would change is what the tests run with."""
    match command:
        case ["source", _]:
            return ""
        case ["python", script, *rest]:
            called = [sys.executable, str(ROOT / script), *rest]
            done = subprocess.run(called, cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            return done.stdout
        case ["ablate", *rest]:
            storage = folder / "storage"
            return ablate(*rest, storage=storage, cwd=folder).stdout.replace(f"{storage}", "~/.ablate")
    raise AssertionError(f"the page has a command that the test does not know: {command}")


def without_numbers(line: str) -> str:
    """Leave out the digits of scores and times, which differ from one kind of processor to another."""
    return re.sub(r"[\d.,]+", "N", line).rstrip()


def assert_shown(shown: list[str], output: str, *, exactly: bool) -> None:
    """Check that lines of the page were printed, in their order; `...` stands for any others."""
    lines = [line.rstrip() for line in output.splitlines()]
    if "..." not in shown:
        assert lines == [line.rstrip() for line in shown]
        return
    told = iter(lines if exactly else map(without_numbers, lines))
    for line in (line for line in shown if line != "..."):
        wanted = line.rstrip() if exactly else without_numbers(line)
        assert any(each == wanted for each in told), f"{line!r} is not printed, or not in this place:\n{output}"


@pytest.mark.ray
def test_the_tutorial_from_files_to_a_verdict(tmp_path: Path) -> None:
    commands = steps()
    assert [command[1] for command, _ in commands if command[0] == "ablate"] == [
        "init",
        "plan",
        "run",
        "answers",
        "run",
    ]
    for command, shown in commands:
        output = printed(command, tmp_path)
        if command[1] == "answers":  # which question is the first, and what is said to it, hangs on the processor
            assert_shown([shown[0], "..."], output, exactly=False)
            assert [line.split()[0] for line in output.splitlines()[4:]] == ["base", "vision.weights=random"]
        elif command[1] == "plan":  # how long it takes hangs on the number of cores
            told = [
                line.split(" about ")[0] for line in output.splitlines() if not line.startswith("          of disk")
            ]
            wanted = [line.split(" about ")[0] for line in shown if not line.startswith("          of disk")]
            assert told == wanted
        else:
            assert_shown(shown, output, exactly=command[1:] != ["run", "my-study"])


def test_the_records_that_the_page_shows_are_those_of_the_files(tmp_path: Path) -> None:
    printed(["python", DRAW, "shapes"], tmp_path)
    (test,) = [line for line in PAGE.splitlines() if line.startswith('{"id": "040.png-color"')]
    assert test in (tmp_path / "shapes" / "test.jsonl").read_text().splitlines()
    question = r"<image>\nWhat color is the shape?"
    assert question in PAGE
    assert question in (tmp_path / "shapes" / "train.json").read_text()
