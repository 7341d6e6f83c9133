"""`ablate questions`: which questions tell the arms of a study apart, and whose labels are worth a look."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.commands.option_groups import takes_groups
from orchestrator.commands.options import (
    JsonOption,
    OptionalStudyArgument,
    SelectionOptions,
    StorageOption,
    console,
    item_paths,
    planned_study,
    print_json,
)
from orchestrator.settings import existing_storage
from search_spaces.errors import InputError

if TYPE_CHECKING:
    from orchestrator.analysis.judged_questions import JudgedQuestions
    from orchestrator.reporting.questions import Describe


@takes_groups
def questions(
    study: OptionalStudyArgument = None,
    *,
    items: Annotated[
        list[str] | None,
        typer.Option(
            "--items", metavar="PATH...", help="Questions of scores made elsewhere: JSON Lines, Parquet, or folders."
        ),
    ] = None,
    storage: StorageOption = None,
    selection: SelectionOptions,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write one line for each question to a CSV file.")
    ] = None,
    informative: Annotated[
        Path | None,
        typer.Option(
            "--informative",
            metavar="FOLDER",
            help="Write the ids of the questions that tell arms apart, and print the lines that ask them in a study.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show which questions tell arms apart, which tell nothing, and whose labels are worth a look."""
    from orchestrator.reporting.informative_suite import SUITE, suite_lines
    from orchestrator.reporting.question_tables import questions_csv, questions_json
    from orchestrator.reporting.questions import report_questions
    from orchestrator.terminal.questions import questions_to_terminal

    named = study or []
    if items:
        items, named = item_paths(items, named), []
    if bool(named) == bool(items) or len(named) > 1:
        raise InputError("one of STUDY and --items must be given, and not both", key="questions")
    if informative is not None and (items or selection.toy):
        law = "must be of the scores of a study: ids that come with --items or --toy need not be those of its data"
        raise InputError(law, key="--informative")
    root = None if items else existing_storage(storage)
    judged, show, source = _of_items(items or ()) if root is None else _of_study(named[0], root, selection)
    suite = None
    if informative is not None and root is not None:
        suite = _write_suite(judged, named[0], root, selection, informative)
    if output is not None:
        output.write_text(questions_csv(judged), encoding="utf-8")
    if as_json:
        print_json({**questions_json(judged, source), **({"suites": {SUITE: suite}} if suite is not None else {})})
        return
    if output is None:
        questions_to_terminal(report_questions(judged, show), judged, console())
    if suite is not None:
        where = f"{informative}. In a study file in {_folder_of(named[0]).absolute()}, these lines ask them alone"
        console().print(f"The ids of the chosen questions are in {where}:\n", soft_wrap=True)
        print(suite_lines(suite))


def _of_study(
    study: str, storage: Path, selection: SelectionOptions
) -> tuple[tuple[JudgedQuestions, ...], Describe, str]:
    from orchestrator.analysis.study_questions import judge_questions
    from orchestrator.reporting.questions import describe_from_storage
    from orchestrator.state.ledger import read_ledger

    _, plan, store = planned_study(study, storage, selection)
    return tuple(judge_questions(plan, store, read_ledger(plan, store))), describe_from_storage(plan, store), plan.study


def _write_suite(
    judged: tuple[JudgedQuestions, ...], study: str, storage: Path, selection: SelectionOptions, folder: Path
) -> tuple[dict[str, Any], ...]:
    from orchestrator.planning.named_study import named_study
    from orchestrator.reporting.informative_suite import write_informative

    loaded = named_study(study, storage, tuple(selection.overrides or ()))
    return write_informative(judged, loaded, folder.expanduser(), _folder_of(study))


def _folder_of(study: str) -> Path:
    """Return the folder of a study file; the current one for the name of a shipped study."""
    path = Path(study).expanduser()
    return path.parent if path.is_file() else Path()


def _of_items(items: Sequence[str]) -> tuple[tuple[JudgedQuestions, ...], Describe, str]:
    from orchestrator.items.check import checked_items
    from orchestrator.items.files import read_items
    from orchestrator.items.questions import describe_from_items, judge_item_questions

    read = checked_items(read_items([Path(path).expanduser() for path in items]))
    return tuple(judge_item_questions(read)), describe_from_items(read), ", ".join(items)
