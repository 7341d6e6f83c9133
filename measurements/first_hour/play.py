"""Clone the repository into an empty home and type there what the documents tell a new user to type."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from measurements.first_hour.shown_commands import (
    ANY_LINES,
    ShownCommand,
    first_difference,
    section_commands,
    shown_commands,
    without_answers,
    without_numbers,
)

ROOT = Path(__file__).parents[2]
NOT_OF_A_NEW_USER = ("ABLATE_", "MLFLOW_", "RAY_", "PYTHON", "VIRTUAL_ENV", "XDG_")
"""Beginnings of environment variables that a new user has not set."""
LONGEST_COMMAND_S = 3600.0


@dataclass(frozen=True)
class Played:
    """A command that was typed."""

    command: str
    seconds: float
    """Wall-clock time that it took."""
    difference: str | None
    """In what it differs from what the documents show; None for in nothing."""
    output: str
    """What it printed on both streams."""


@dataclass(frozen=True)
class NewUser:
    """Somebody with an empty home and a clone."""

    folder: Path
    """Holds `home` and `clone`; it is there and empty."""
    environment: Path | None = None
    """A virtual environment with everything installed; None to install as `make` does."""

    @property
    def clone(self) -> Path:
        """Folder of the clone."""
        return self.folder / "clone"

    def get_the_program(self) -> Played:
        """Clone the repository as the working tree is, and put the environment that is there into it."""
        (self.folder / "home").mkdir()
        cloned = self.type(f"git clone --quiet {ROOT} {self.clone}", [], self.folder)
        _copy_changes(self.clone)
        if self.environment is not None:
            (self.clone / ".venv").symlink_to(self.environment)
        return cloned

    def play(self, commands: Iterable[ShownCommand]) -> Iterator[Played]:
        """Type commands in the clone, one after the other, and compare; what is sourced stays in effect."""
        sourced: list[str] = []
        for step in commands:
            if step.command.startswith("source "):
                sourced.append(step.command)
                continue
            played = self.type(step.command, sourced, self.clone)
            if played.difference is None:
                difference = first_difference(_sure(step), played.output, _form(step))
                played = Played(step.command, played.seconds, difference, played.output)
            yield played

    def type(self, command: str, sourced: list[str], folder: Path) -> Played:
        """Run a command in a shell of its own; an exit code that is not 0 is a difference."""
        script = "\n".join([*sourced, command])
        began = time.monotonic()
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env=self._variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST_COMMAND_S,
        )
        difference = f"exit code {done.returncode}" if done.returncode else None
        return Played(command, time.monotonic() - began, difference, done.stdout)

    def _variables(self) -> dict[str, str]:
        variables = {key: value for key, value in os.environ.items() if not key.startswith(NOT_OF_A_NEW_USER)}
        variables["PATH"] = _path_without(Path(sys.prefix) / "bin", variables)
        variables["HOME"] = str(self.folder / "home")
        if self.environment is not None:
            variables["PYTHONPATH"] = str(self.clone)  # it may have been installed from another folder
        return variables


def first_commands(*, is_small: bool, is_installed: bool) -> list[ShownCommand]:
    """List the commands of a first hour: the quickstart with the claims that the README shows, then one's own data.

    Args:
        is_small: two trials of tiny models in place of the quickstart.
        is_installed: leave out what `make quickstart` installs.
    """
    own_data = shown_commands((ROOT / "docs" / "own-data.md").read_text())
    _must_have_the_commands_of_the_readme(own_data)
    if is_small:
        toy = ShownCommand("ablate run quickstart --toy --limit 2", (ANY_LINES, "2 of 2 trials are done.", ANY_LINES))
        return [own_data[0], toy, *own_data[1:]]
    make = "make -o .venv/installed quickstart" if is_installed else "make quickstart"
    return [ShownCommand(make, (ANY_LINES, *_claims_of_the_quickstart())), *own_data]


def _must_have_the_commands_of_the_readme(own_data: Iterable[ShownCommand]) -> None:
    """Refuse a page on own data that does not have the README's commands on own data, letter by letter, in their order.

    Raises:
        ValueError: names the first command that the page has not, or not in this place.
    """
    rest = iter(own_data)
    for command in section_commands((ROOT / "README.md").read_text(), "Your own data"):
        if not any(command == step.command for step in rest):
            raise ValueError(f"README.md has a command that docs/own-data.md has not, or not in this place: {command}")


def _claims_of_the_quickstart() -> list[str]:
    """List the lines that a run prints for the claims that the README shows."""
    study = yaml.safe_load((ROOT / "search_spaces" / "quickstart.yaml").read_text())
    ids = {hypothesis["claim"]: hypothesis["id"] for hypothesis in study["hypotheses"]}
    block = (ROOT / "README.md").read_text().partition("<!-- quickstart-begin -->")[2]
    shown = re.findall(r"^- \*\*(\w+)\*\*: (.*?)\. ", block.partition("<!-- quickstart-end -->")[0], flags=re.M)
    if len(shown) != len(ids):
        raise ValueError(f"README.md must show {len(ids)} claims of the quickstart, but shows {len(shown)}")
    verdicts = {claim: verdict for verdict, claim in shown}
    return [f"{name}: {claim}  [{verdicts[claim]}]" for claim, name in ids.items()]


def seconds_to_a_verdict(steps: Iterable[Played]) -> float:
    """Add up the time from `ablate init` to the end of the first run of one's own data."""
    total, is_own = 0.0, False
    for step in steps:
        is_own = is_own or step.command.startswith("ablate init")
        total += step.seconds if is_own else 0
        if is_own and step.command.startswith("ablate run"):
            return total
    raise ValueError("the commands must have `ablate init` and then `ablate run`")


def _sure(step: ShownCommand) -> tuple[str, ...]:
    """Leave out what hangs on the machine: time and disk of a plan, what else its storage has."""
    if step.command.startswith("ablate plan"):
        return (ANY_LINES, *(line for line in step.shown if not line.startswith(_OF_THE_MACHINE)))
    return step.shown


def _form(step: ShownCommand) -> Callable[[str], str]:
    """Choose what is compared of a line: models that other processors trained have other scores and answers."""
    if step.command.startswith("ablate answers"):
        return without_answers
    if step.command.startswith("ablate plan"):  # what was read for the quickstart, whole or small, is not read again
        return lambda line: without_numbers(line) if line.startswith("inputs ") else line.rstrip()
    return without_numbers if step.command.startswith("ablate run") else str.rstrip


_OF_THE_MACHINE = ("storage ", "takes ", "          of disk")
"""Beginnings of the lines of a plan that differ between machines."""


def _copy_changes(clone: Path) -> None:
    """Copy what is not committed yet, so that a change is played before it is committed."""
    command = ["git", "ls-files", "-z", "--modified", "--others", "--exclude-standard"]
    for name in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
        elif name:
            (clone / name).unlink(missing_ok=True)


def _path_without(folder: Path, variables: Mapping[str, str]) -> str:
    """Return the search path of commands without a folder: a new user has activated nothing."""
    return os.pathsep.join(part for part in variables["PATH"].split(os.pathsep) if Path(part) != folder)
