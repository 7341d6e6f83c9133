"""The command that trains and evaluates a study."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.commands.option_groups import takes_groups
from orchestrator.commands.options import (
    JsonOption,
    SelectionOptions,
    StorageOption,
    StudyArgument,
    console,
    print_json,
    within_bounds,
)
from orchestrator.commands.running_options import RunningOptions, WorkOptions
from orchestrator.exit_codes import EXIT_DONE, EXIT_SIGNAL, EXIT_STOPPED, EXIT_TRIAL_FAILED
from orchestrator.settings import chosen_root, storage_root
from orchestrator.terminal.plain import plain_lines
from search_spaces.quantities import device_time, number_of

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.planning.planned import RunOptions
    from orchestrator.run_study import StudyRun
    from orchestrator.run_until_decided import Limits
    from orchestrator.running.attempts import Outcomes
    from orchestrator.state.ledger import TrialState


@takes_groups
def run(
    study: StudyArgument,
    *,
    storage: StorageOption = None,
    selection: SelectionOptions,
    running: RunningOptions,
    work: WorkOptions,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show what differs from storage, every trial and stage that is left, and do nothing."
        ),
    ] = False,
    events: Annotated[
        Path | None,
        typer.Option("--events", metavar="FILE", help="Append what happens to a file, a JSON object on each line."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train and evaluate what is left of a study, and say first what that is. Run it again to resume, or after it was
    edited; finished work is never done twice."""
    root = chosen_root(storage) if dry_run else storage_root(storage)
    options = running.run_options(selection.plan_options(root, running.address), study)
    options = work.applied_to(options)
    out = console(stderr=as_json)
    limits = work.limits()
    if dry_run:
        _show_preview(study, options, as_json)
        return
    with ExitStack() as stack:
        if events is not None:
            from orchestrator.running.event_log import EventLog

            log = stack.enter_context(EventLog(events, plain_lines(out)))
            options = replace(options, events=log)
        raise typer.Exit(_run(study, options, limits, out, as_json))


def _run(study: str, options: RunOptions, limits: Limits | None, out: Console, as_json: bool) -> int:
    """Run a study, print its report, and return the exit code.

    Args:
        study: a study file, or the name of a study that ships.
        options: of the run.
        limits: how far seeds are added until claims are decided; None for none.
        out: where people are told.
        as_json: print the report as JSON.
    """
    from orchestrator.run_study import run_study
    from orchestrator.running.rehearsals import rehearsals_json
    from orchestrator.state.difference import difference_json
    from orchestrator.terminal.report import to_terminal

    if limits is None:
        done, is_out_of_budget = run_study(study, options, out), False
    else:
        from orchestrator.run_until_decided import run_until_decided

        decided = run_until_decided(study, options, limits, out)
        done, is_out_of_budget = decided.last, decided.is_out_of_budget
    if as_json:
        from orchestrator.reporting.csv_json import to_json

        further: dict[str, Any] = {"difference": difference_json(done.difference)}
        if done.outcomes is not None:
            further["rehearsals"] = rehearsals_json(done.outcomes.rehearsals)
        print(within_bounds(to_json(done.report, further)), end="")
    else:
        to_terminal(done.report, out)
    code = end_of_run(done, options, out)
    return EXIT_STOPPED if is_out_of_budget and code == EXIT_DONE else code


def _show_preview(study: str, options: RunOptions, as_json: bool) -> None:
    """Show what a run would do."""
    from orchestrator.planning.named_study import named_study
    from orchestrator.preview import preview
    from orchestrator.state.difference import difference_json
    from orchestrator.terminal.difference import show_difference, show_work

    planned, difference, unread = preview(named_study(study, options.plan.storage, options.plan.overrides), options)
    if as_json:
        todo = {name for trial in difference.trials if trial.is_run for name in (*trial.features, *trial.stages)}
        work = [
            {"id": node.id, "kind": node.kind, "name": node.name, "key": node.key, "steps": node.steps}
            for node in planned.nodes.values()
            if node.id in todo
        ]
        print_json({"difference": difference_json(difference), "work": work, "to_be_read": list(unread)})
        return
    out = console()
    show_difference(difference, planned, out)
    show_work(difference, planned, out)
    if unread:
        told = "To be read first, so that what follows from their content is not known yet:"
        out.print(f"{told} {', '.join(unread)}", soft_wrap=True)
    out.print("Nothing was run.")


def end_of_run(done: StudyRun, options: RunOptions, out: Console) -> int:
    """Say where a run's records are, whether there was anything to do, and who or what has ended it early.

    Args:
        done: the run.
        options: of the command line.
        out: where it is said.

    Returns:
        The exit code.
    """
    from orchestrator.planning.chosen_settings import gpu_hours_limit
    from orchestrator.terminal.stops import storage_gave_out

    if done.outcomes is None:
        alone = sum(trial.left_alone is not None for trial in done.difference.trials)
        rest = f": {number_of(alone, 'failed trial')} failed alike twice; --retry-failed tries them again"
        out.print(f"Nothing was left to do{rest if alone else ''}.")
    elif options.rehearsals == "only":
        out.print(f"{_rehearsed(done.outcomes)}; no trial was started.")
    if done.tracking is not None:
        out.print(done.tracking, soft_wrap=True)
    elif options.offline:
        out.print(f"Offline. To send it to MLflow:  {options.sync_command}", soft_wrap=True)
    if done.outcomes is not None and done.outcomes.storage_trouble is not None:
        out.print(f"ablate: {storage_gave_out(done.outcomes.storage_trouble)}", soft_wrap=True)
    most = gpu_hours_limit(done.study, options)
    if done.outcomes is not None and done.outcomes.budget_spent and most is not None and math.isfinite(most):
        limit = "budget.gpu_hours" if options.max_gpu_hours is None else "--max-gpu-hours"
        out.print(f"ablate: {_out_of_hours(done, limit, most)}", soft_wrap=True)
    if done.stopped_by is not None:
        out.print(f"ablate: stopped by {done.stopped_by}; the same command goes on", soft_wrap=True)
    is_asked, only_rehearsed = done.stopped_by is not None, options.rehearsals == "only"
    counts = done.ledger.counts(done.selected)
    return _exit_code(done.outcomes, counts, is_asked=is_asked, only_rehearsed=only_rehearsed)


def _out_of_hours(done: StudyRun, limit: str, most: float) -> str:
    """Say that a run has ended at the limit of its GPU-hours, and what is left.

    Args:
        done: the run.
        limit: option or field that sets the limit.
        most: GPU-hours that it allows.
    """
    from orchestrator.state.ledger import gpu_seconds

    counts = done.ledger.counts(done.selected)
    left = sum(counts.values()) - counts["done"] - counts["failed"]
    device = done.report.device
    spent = device_time(gpu_seconds(done.ledger), device)
    return (
        f"stopped by {limit} {most:g}: trials that are done have spent {spent}, "
        f"{number_of(left, 'trial')} left. The same command with more {device}-hours goes on"
    )


def _rehearsed(outcomes: Outcomes) -> str:
    """Say how many shapes were rehearsed."""
    if not outcomes.rehearsals and (outcomes.signal is not None or outcomes.storage_trouble is not None):
        return "No shape was rehearsed"
    if not outcomes.rehearsals:
        return "Every shape of the trials has run on this storage before"
    failed = sum(outcome.failure is not None for outcome in outcomes.rehearsals)
    return f"Rehearsed {number_of(len(outcomes.rehearsals), 'shape')}, {failed} failed"


def _exit_code(
    outcomes: Outcomes | None,
    counts: Mapping[TrialState, int],
    *,
    is_asked: bool = False,
    only_rehearsed: bool = False,
) -> int:
    """Choose the exit code of a run by what became of its trials, or of its rehearsals if no trial was to be started.

    Args:
        outcomes: of the trials of this run; None if it had none.
        counts: of the trials that were to be done, by state.
        is_asked: whether `ablate stop` has ended it.
        only_rehearsed: whether no trial was to be started.
    """
    if is_asked and counts["done"] < sum(counts.values()):
        return EXIT_STOPPED
    if outcomes is not None and outcomes.signal is not None and not is_asked:
        return EXIT_SIGNAL + outcomes.signal
    if outcomes is not None and outcomes.storage_trouble is not None:
        return EXIT_STOPPED
    if only_rehearsed:
        has_failed = outcomes is not None and any(outcome.failure is not None for outcome in outcomes.rehearsals)
        return EXIT_TRIAL_FAILED if has_failed else EXIT_DONE
    if counts["failed"]:
        return EXIT_TRIAL_FAILED
    return EXIT_DONE if counts["done"] == sum(counts.values()) else EXIT_STOPPED
