"""The command that says what a run would meet."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.commands.option_groups import takes_groups
from orchestrator.commands.options import (
    AddressOption,
    JsonOption,
    OfflineOption,
    SelectionOptions,
    StorageOption,
    TrackingOption,
    console,
    print_json,
)
from orchestrator.exit_codes import EXIT_BAD_INPUT, EXIT_DONE
from orchestrator.settings import chosen_root

WITHIN_S = 20.0


@takes_groups
def doctor(
    study: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="A study file, or the name of a shipped study.")
    ] = None,
    *,
    storage: StorageOption = None,
    selection: SelectionOptions,
    tracking_uri: TrackingOption = None,
    offline: OfflineOption = False,
    address: AddressOption = None,
    within: Annotated[
        float,
        typer.Option(
            "--within", min=0.1, metavar="SECONDS", help="How long storage, cluster and server may each take."
        ),
    ] = WITHIN_S,
    details: Annotated[bool, typer.Option("--details", help="Show every answer, not only ten lines.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say of machine, cluster, storage, tracking server and study what is right, what is slow and what will fail.
    Nothing is started, read or kept; exit code 2 if something will fail."""
    from orchestrator.doctor.diagnose import diagnose
    from orchestrator.doctor.findings import findings_json, will_fail
    from orchestrator.terminal.doctor import findings_view

    options = selection.plan_options(chosen_root(storage), address)
    findings = diagnose(study, options, tracking_uri, offline=offline, within_s=within)
    if as_json:
        print_json(findings_json(findings))
    else:
        console().print(findings_view(findings, details=details), soft_wrap=True)
    raise typer.Exit(EXIT_BAD_INPUT if will_fail(findings) else EXIT_DONE)
