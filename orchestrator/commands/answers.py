"""`ablate answers`: questions, right answers, and what every arm said, from storage."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.options import (
    DataOption,
    JsonOption,
    SelectionOptions,
    SetOption,
    StorageOption,
    StudyArgument,
    ToyOption,
    console,
    planned_study,
    print_json,
)
from orchestrator.settings import data_root, existing_storage
from search_spaces.errors import InputError

if TYPE_CHECKING:
    from orchestrator.analysis.stored_answers import Which

SHOWN = 20


def answers(
    study: StudyArgument,
    arm: Annotated[list[str] | None, typer.Option("--arm", help="Only this arm; repeatable.")] = None,
    benchmark: Annotated[list[str] | None, typer.Option("--benchmark", help="Only this one; repeatable.")] = None,
    wrong: Annotated[
        bool, typer.Option("--wrong", help="Questions with a mean score below a half, the lowest first.")
    ] = False,
    differ: Annotated[
        bool, typer.Option("--differ", help="Questions on which arms score differently, by most first.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="Of each benchmark, so many questions at most.")
    ] = SHOWN,
    pictures: Annotated[
        bool | None,
        typer.Option(
            "--pictures/--no-pictures",
            help="Pictures whatever the terminal, or none (default: in kitty, iTerm2, WezTerm, Ghostty).",
        ),
    ] = None,
    storage: StorageOption = None,
    data: DataOption = None,
    overrides: SetOption = None,
    toy: ToyOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show questions with their pictures, right answers, and what every arm said over its seeds."""
    from orchestrator.analysis.stored_answers import AnswerFilter
    from orchestrator.reporting.shown_answers import shown_answers, shown_answers_json
    from orchestrator.terminal.answers import answers_to_terminal
    from orchestrator.terminal.pictures import picture_protocol

    if wrong and differ:
        raise InputError("one of them at most may be given", key="--wrong, --differ")
    root = existing_storage(storage)
    selection = SelectionOptions(data=data, overrides=overrides, toy=toy)
    _, plan, store = planned_study(study, root, selection)
    which: Which = "wrong" if wrong else "differ" if differ else "all"
    wanted = AnswerFilter(which, tuple(arm or ()), tuple(benchmark or ()))
    shown = shown_answers(plan, store, wanted, limit=limit, data_root=data_root(data, root))
    if as_json:
        print_json(shown_answers_json(plan, wanted, shown))
        return
    out, count = console(), 0
    protocol = picture_protocol(os.environ, is_terminal=sys.stdout.isatty(), wanted=pictures)
    for count, each in enumerate(shown, 1):
        if count > 1:
            out.print()
        answers_to_terminal(each, _WORDS[which], out, protocol)
    if not count:
        out.print("Nothing is scored yet.")


_WORDS: dict[Which, str] = {"all": "", "wrong": "that score below a half", "differ": "on which arms differ"}
