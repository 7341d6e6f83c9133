"""Commands that watch and report a study."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.commands.option_groups import takes_groups
from orchestrator.commands.options import (
    JsonOption,
    OnlyOption,
    SelectionOptions,
    StorageOption,
    StudyArgument,
    TrackingOption,
    console,
    open_store,
    planned_study,
    print_json,
    within_bounds,
)
from orchestrator.schema_version import OutputKind
from orchestrator.settings import existing_storage
from search_spaces.credentials import without_credentials
from search_spaces.errors import InputError, nearest

if TYPE_CHECKING:
    from orchestrator.reporting.forms import Form
    from orchestrator.tracking.mlflow_tracker import MlflowTracker
    from search_spaces.plan import Plan
    from search_spaces.study import Study
    from trainables.storage.store import Store


def schema(
    of: Annotated[
        OutputKind, typer.Option("--of", help="What: a study file, an output of --json, a line of events or items.")
    ] = "study",
) -> None:
    """Print the JSON Schema of study files, or of what commands print for programs."""
    from orchestrator.output_schemas import output_schema

    print(json.dumps(output_schema(of), indent=2))


@takes_groups
def status(
    study: StudyArgument,
    *,
    storage: StorageOption = None,
    selection: SelectionOptions,
    only: OnlyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the state of every trial, from storage: also while the study runs, also from another machine."""
    from orchestrator.state.status import study_status, to_json
    from orchestrator.terminal.status import to_terminal

    _, planned, store = planned_study(study, existing_storage(storage), selection, only)
    shown = study_status(planned, store)
    if as_json:
        print(within_bounds(to_json(shown)), end="")
    else:
        to_terminal(shown, console())


@takes_groups
def report(
    study: StudyArgument,
    *,
    storage: StorageOption = None,
    selection: SelectionOptions,
    to: Annotated[str, typer.Option("--to", help="terminal, html, md, tex, csv or json.")] = "terminal",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to a file instead.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Report what a study has shown so far: verdicts, arms by benchmarks, figures, costs, provenance."""
    from orchestrator.reporting.kept_report import report_of

    form = _form("json" if as_json else to, output)
    shown = report_of(*planned_study(study, existing_storage(storage), selection))
    if form is None:
        from orchestrator.terminal.report import to_terminal

        to_terminal(shown, console())
        return
    from orchestrator.reporting.forms import FORMS

    text = within_bounds(FORMS[form](shown)) if form == "json" else FORMS[form](shown)
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")


def _form(to: str, output: Path | None) -> Form | None:
    """Choose the form of a report: the one that --to names, or that the file's suffix stands for; None: terminal."""
    from orchestrator.reporting.forms import FORMS

    is_told_by_suffix = to == "terminal" and output is not None
    name = output.suffix.removeprefix(".") if is_told_by_suffix and output is not None else to
    for form in FORMS:
        if form == name:
            return form
    if is_told_by_suffix:
        known = ", ".join(FORMS)
        raise InputError(f"must be given for a file that ends on none of {known}", key="--to", place=str(output))
    if to == "terminal":
        return None
    law = f"must be one of terminal, {', '.join(FORMS)}, but got {to!r}"
    raise InputError(law, key="--to", way_out=nearest(to, FORMS))


def logs(
    trial: Annotated[str, typer.Argument(metavar="TRIAL", help="A trial's id, its beginning, or an arm's name.")],
    storage: StorageOption = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of an arm's trials, the one with this seed.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the trial ends.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print which attempts of a trial have failed, and what its workers wrote."""
    from orchestrator.state.failures import attempt_line, read_failures
    from orchestrator.state.logs import find_trial, has_ended, print_logs, stored_trials, worker_lines

    if follow and as_json:
        raise InputError("must come without --json, which is one document", key="--follow")
    store = open_store(existing_storage(storage))
    found = find_trial(stored_trials(store), trial, seed)
    failures = read_failures(store, found.study, found.id)
    if as_json:
        workers = [{"rank": rank, "lines": lines} for rank, lines in worker_lines(store, found).items()]
        attempts = [asdict(failure) for failure in failures]
        about = {"study": found.study, "trial": found.id, "has_ended": has_ended(store, found)}
        print_json({**about, "failures": attempts, "workers": workers})
        return
    for failure in failures:
        print(attempt_line(failure))
    print_logs(store, found, sys.stdout, follow=follow)


@takes_groups
def sync(
    study: StudyArgument,
    *,
    storage: StorageOption = None,
    selection: SelectionOptions,
    tracking_uri: TrackingOption = None,
    register_best: Annotated[
        str | None,
        typer.Option("--register-best", metavar="MODEL", help="Give the best trial's model the alias `best` there."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Send everything that storage holds of a study to an MLflow server; what is there already stays as it is."""
    from orchestrator.tracking.mlflow_connect import open_command, open_tracker
    from orchestrator.tracking.sync import sync_study

    loaded, planned, store = planned_study(study, existing_storage(storage), selection)
    tracker, out = open_tracker(tracking_uri, store.root), console(stderr=as_json)
    sent = sync_study(loaded, planned, store, tracker, partial(out.print, soft_wrap=True))
    registered = None if register_best is None else _registered(tracker, register_best, loaded, planned, store)
    if registered is not None:
        text = "{model}@best is version {version}: the model of {trial}".format_map(registered)
        out.print(text, soft_wrap=True)
    if as_json and sent.missing is None:
        server = without_credentials(tracker.uri)
        print_json({"study": planned.study, "server": server, "points": sent.points, "registered": registered})
    out.print(f"{sent.points:,} points sent\n{open_command(tracker)}", soft_wrap=True)
    if sent.missing is not None:
        raise InputError(
            f"everything must arrive, but the server did not take {sent.missing}",
            place=tracker.uri,
            way_out="What it took is there. Mend what it names and run the same command again: storage keeps all.",
        )


def _registered(tracker: MlflowTracker, name: str, loaded: Study, planned: Plan, store: Store) -> dict[str, Any]:
    """Give the model of the best trial a name on the server; return name, version and trial."""
    from orchestrator.reporting.summary import summarize
    from orchestrator.tracking.tracker import TrackerAwayError, TrackerDeniedError, TrackerRefusedError

    best = summarize(loaded, planned, store).best_trial
    if best is None:
        raise InputError("a study must have scores before its best model has a name", key="--register-best")
    try:
        version = tracker.register_best(name, best)
    except (TrackerAwayError, TrackerDeniedError, TrackerRefusedError) as error:
        raise InputError(f"the server must register the model, but it says: {error}", place=tracker.uri) from error
    return {"model": name, "version": version, "trial": best}
