"""`ablate questions`: which questions tell the arms of a study apart, and whose labels are worth a look."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.commands.option_groups import takes_groups
from orchestrator.commands.options import (
    JsonOption,
    SelectionOptions,
    StorageOption,
    StudyArgument,
    console,
    planned_study,
    print_json,
)
from orchestrator.settings import existing_storage


@takes_groups
def questions(
    study: StudyArgument,
    *,
    storage: StorageOption = None,
    selection: SelectionOptions,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write one line for each question to a CSV file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show which questions tell arms apart, which tell nothing, and whose labels are worth a look."""
    from orchestrator.analysis.study_questions import judge_questions
    from orchestrator.reporting.question_tables import questions_csv, questions_json
    from orchestrator.reporting.questions import report_questions
    from orchestrator.state.ledger import read_ledger
    from orchestrator.terminal.questions import questions_to_terminal

    _, plan, store = planned_study(study, existing_storage(storage), selection)
    judged = tuple(judge_questions(plan, store, read_ledger(plan, store)))
    if output is not None:
        output.write_text(questions_csv(judged), encoding="utf-8")
    if as_json:
        print_json(questions_json(judged, plan.study))
    elif output is None:
        questions_to_terminal(report_questions(judged, plan, store), judged, console())
