"""A new user's first hour, in a clone with an empty home: commands end well and print what the documents show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from measurements.first_hour.play import NewUser, Played, first_commands, seconds_to_a_verdict
from measurements.first_hour.shown_commands import ShownCommand, section_commands
from tests.support.command_line import ROOT


@pytest.mark.ray
def test_the_short_form_prints_what_the_documents_show() -> None:
    command = [sys.executable, "-m", "measurements.first_hour", "--small", "--environment", sys.prefix]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=550)
    assert done.returncode == 0, done.stderr + done.stdout
    lines = done.stdout.splitlines()
    typed = [step.command for step in first_commands(is_small=True, is_installed=True)][1:]
    assert [line.split("as shown")[1].strip() for line in lines[1:-2]] == typed
    assert {"init", "plan", "run", "answers", "diff", "report"} <= {line.split()[1] for line in typed}
    assert lines[-1].endswith("from `ablate init` to a verdict on own data")


def test_what_is_sourced_stays_and_what_differs_is_told(tmp_path: Path) -> None:
    user = NewUser(tmp_path, Path(sys.prefix))
    assert user.get_the_program().difference is None
    steps = [
        ShownCommand("source .venv/bin/activate"),
        ShownCommand("echo $HOME", (str(tmp_path / "home"),)),
        ShownCommand("python -c 'import orchestrator; print(orchestrator.__file__)'"),
        ShownCommand("echo one", ("two",)),
        ShownCommand("ablate no-such-command"),
    ]
    played = list(user.play(steps))
    assert [step.difference for step in played] == [None, None, "not printed in this place: two", "exit code 2"]
    assert played[1].output.strip() == str(tmp_path / "clone" / "orchestrator" / "__init__.py")


def test_the_time_to_a_verdict_begins_with_own_data() -> None:
    commands = (
        "make quickstart",
        "ablate run quickstart",
        "ablate init my-study",
        "ablate run my-study",
        "ablate report",
    )
    steps = [Played(command, 2.0**power, None, "") for power, command in enumerate(commands)]
    assert seconds_to_a_verdict(steps) == 4 + 8


def test_the_quickstart_must_print_every_claim_of_the_readme() -> None:
    quickstart = first_commands(is_small=False, is_installed=False)[0]
    assert quickstart.command == "make quickstart"
    assert [line.rpartition("  ")[2] for line in quickstart.shown[1:]] == ["[holds]", "[holds]", "[holds]", "[open]"]


def test_the_commands_of_the_readme_on_own_data_are_among_those_that_are_played() -> None:
    played = [step.command for step in first_commands(is_small=True, is_installed=True)]
    readme = section_commands((ROOT / "README.md").read_text(), "Your own data")
    assert readme[0] == "source .venv/bin/activate"
    assert len(readme) > 5
    assert [command for command in readme if command not in played] == []
