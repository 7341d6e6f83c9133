"""The command that trains and evaluates a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.option_groups import takes_groups
from orchestrator.commands.options import (
    JsonOption,
    SelectionOptions,
    StorageOption,
    StudyArgument,
    TrackingOption,
    console,
)
from orchestrator.exit_codes import EXIT_DONE, EXIT_SIGNAL, EXIT_STOPPED, EXIT_TRIAL_FAILED
from orchestrator.settings import storage_root

if TYPE_CHECKING:
    from orchestrator.running.attempts import Outcomes
    from orchestrator.state.ledger import TrialState


@takes_groups
def run(
    study: StudyArgument,
    *,
    storage: StorageOption = None,
    selection: SelectionOptions,
    tracking_uri: TrackingOption = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Talk to no tracking server; `ablate sync` sends everything later.")
    ] = False,
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            help="A running Ray cluster: host:port of its head, `auto`, or `local` for one inside this machine "
            "(default: $RAY_ADDRESS, else local).",
        ),
    ] = None,
    cpus: Annotated[
        int | None, typer.Option("--cpus", min=1, help="CPUs of the embedded cluster (default: all).")
    ] = None,
    max_concurrent: Annotated[
        int | None, typer.Option("--max-concurrent", min=1, help="Most trials at a time (default: what fits).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train and evaluate what is left of a study. Run it again to resume; finished work is never done twice."""
    from orchestrator.planning.planned import RunOptions
    from orchestrator.reporting.csv_json import to_json
    from orchestrator.run_study import run_study
    from orchestrator.terminal.report import to_terminal
    from orchestrator.terminal.stops import storage_full

    root = storage_root(storage)
    options = RunOptions(
        plan=selection.plan_options(root, address),
        study=study,
        tracking_uri=tracking_uri,
        offline=offline,
        cpus=cpus,
        max_concurrent=max_concurrent,
    )
    out = console(stderr=as_json)
    done = run_study(study, options, out)
    if as_json:
        print(to_json(done.report), end="")
    else:
        to_terminal(done.report, out)
        if done.outcomes is None:
            out.print("Nothing was left to do.")
        if done.tracking is not None:
            out.print(done.tracking, soft_wrap=True)
        elif offline:
            out.print(f"Offline. To send it to MLflow:  {options.sync_command}", soft_wrap=True)
    full = done.outcomes.storage_full if done.outcomes else None
    if full is not None:
        out.print(f"ablate: {storage_full(full)}", soft_wrap=True)
    raise typer.Exit(_exit_code(done.outcomes, done.ledger.counts()))


def _exit_code(outcomes: Outcomes | None, counts: Mapping[TrialState, int]) -> int:
    if outcomes is not None and outcomes.signal is not None:
        return EXIT_SIGNAL + outcomes.signal
    if outcomes is not None and outcomes.storage_full is not None:
        return EXIT_STOPPED
    if counts["failed"]:
        return EXIT_TRIAL_FAILED
    return EXIT_DONE if counts["done"] == sum(counts.values()) else EXIT_STOPPED
