"""The command that trains and evaluates a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

from orchestrator.commands.option_groups import takes_groups
from orchestrator.commands.options import (
    JsonOption,
    RunningOptions,
    SelectionOptions,
    StorageOption,
    StudyArgument,
    console,
)
from orchestrator.exit_codes import EXIT_DONE, EXIT_SIGNAL, EXIT_STOPPED, EXIT_TRIAL_FAILED
from orchestrator.settings import storage_root

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.planning.planned import RunOptions
    from orchestrator.run_study import StudyRun
    from orchestrator.running.attempts import Outcomes
    from orchestrator.state.ledger import TrialState


@takes_groups
def run(
    study: StudyArgument,
    *,
    storage: StorageOption = None,
    selection: SelectionOptions,
    running: RunningOptions,
    as_json: JsonOption = False,
) -> None:
    """Train and evaluate what is left of a study. Run it again to resume; finished work is never done twice."""
    from orchestrator.reporting.csv_json import to_json
    from orchestrator.run_study import run_study
    from orchestrator.terminal.report import to_terminal
    from orchestrator.terminal.stops import storage_full

    options = running.run_options(selection.plan_options(storage_root(storage), running.address), study)
    out = console(stderr=as_json)
    done = run_study(study, options, out)
    if as_json:
        print(to_json(done.report), end="")
    else:
        to_terminal(done.report, out)
        say_how_it_ended(done, options, out)
    full = done.outcomes.storage_full if done.outcomes else None
    if full is not None:
        out.print(f"ablate: {storage_full(full)}", soft_wrap=True)
    raise typer.Exit(exit_code(done.outcomes, done.ledger.counts()))


def say_how_it_ended(done: StudyRun, options: RunOptions, out: Console) -> None:
    """Say where a run's records are, or how to send them; and whether there was anything to do."""
    if done.outcomes is None:
        out.print("Nothing was left to do.")
    if done.tracking is not None:
        out.print(done.tracking, soft_wrap=True)
    elif options.offline:
        out.print(f"Offline. To send it to MLflow:  {options.sync_command}", soft_wrap=True)


def exit_code(outcomes: Outcomes | None, counts: Mapping[TrialState, int]) -> int:
    """Choose the exit code of a run by what became of its trials."""
    if outcomes is not None and outcomes.signal is not None:
        return EXIT_SIGNAL + outcomes.signal
    if outcomes is not None and outcomes.storage_full is not None:
        return EXIT_STOPPED
    if counts["failed"]:
        return EXIT_TRIAL_FAILED
    return EXIT_DONE if counts["done"] == sum(counts.values()) else EXIT_STOPPED
