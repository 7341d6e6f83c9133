"""A group of options in a command's signature is its options on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from orchestrator.cli import app as ablate
from orchestrator.commands.option_groups import flags_of, takes_groups


@dataclass(frozen=True, kw_only=True)
class Sizes:
    width: Annotated[int, typer.Option("--width")] = 3
    names: Annotated[list[str] | None, typer.Option("--name")] = None


def _app() -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @takes_groups
    def show(title: Annotated[str, typer.Argument()], *, sizes: Sizes, loud: bool = False) -> None:
        print(title, sizes, loud)

    return app


def test_the_fields_of_a_group_are_options_with_their_defaults() -> None:
    assert CliRunner().invoke(_app(), ["t"]).output == "t Sizes(width=3, names=None) False\n"
    given = ["t", "--width", "4", "--name", "a", "--name", "b", "--loud"]
    assert CliRunner().invoke(_app(), given).output == "t Sizes(width=4, names=['a', 'b']) True\n"


@dataclass(frozen=True, kw_only=True)
class Sounds:
    loud: Annotated[bool | None, typer.Option("--loud/--quiet")] = None
    twice: Annotated[bool, typer.Option("--twice")] = False


@pytest.mark.parametrize(
    ("sounds", "flags"),
    [(Sounds(), []), (Sounds(loud=True, twice=True), ["--loud", "--twice"]), (Sounds(loud=False), ["--quiet"])],
)
def test_the_flags_of_a_group_say_what_is_not_as_by_default(sounds: Sounds, flags: list[str]) -> None:
    assert flags_of(sounds) == flags


def test_an_option_that_is_there_twice_is_refused_when_the_command_is_made() -> None:
    def twice(width: int, sizes: Sizes) -> None: ...

    with pytest.raises(TypeError, match="'width' twice"):
        takes_groups(twice)


@pytest.mark.parametrize("command", ["plan", "run", "status", "report", "sync", "verdicts", "questions", "submit"])
def test_commands_about_a_study_select_its_trials_by_the_same_options(command: str) -> None:
    shown = CliRunner().invoke(ablate, [command, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output
    for option in ("--data", "--set", "--limit", "--toy", "--features", "--features-budget", "--storage"):
        assert re.search(rf"{option}\b", shown), option


@pytest.mark.parametrize("command", ["plan", "run", "submit"])
def test_help_shows_the_default_of_an_option_that_is_computed(command: str) -> None:
    shown = CliRunner().invoke(ablate, [command, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output
    assert "(default: $ABLATE_DATA, else STORAGE/sources)" in shown
