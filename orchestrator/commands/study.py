"""Commands that plan, watch and report a study."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.option_groups import takes_groups
from orchestrator.commands.options import (
    GpuOption,
    JsonOption,
    MfuOption,
    OnlyOption,
    ProfileOption,
    SelectionOptions,
    StorageOption,
    StudyArgument,
    TextOption,
    TrackingOption,
    console,
    open_store,
    planned_study,
    print_json,
)
from orchestrator.schema_version import OutputKind
from orchestrator.settings import chosen_root, existing_storage
from search_spaces.errors import InputError, nearest

if TYPE_CHECKING:
    from orchestrator.analysis.plan_power import HypothesisPower
    from orchestrator.planning.estimates import Assumptions
    from orchestrator.planning.forecast import Forecast
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
def plan(
    study: StudyArgument,
    *,
    storage: StorageOption = None,
    selection: SelectionOptions,
    only: OnlyOption = None,
    provenance: Annotated[bool, typer.Option("--provenance", help="Show where each value came from.")] = False,
    gpu: GpuOption = None,
    mfu: MfuOption = None,
    text_tokens: TextOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a study would do and take: arms, stages, sharing, memory, disk, hours. Nothing is trained."""
    from orchestrator.analysis.what_varies import what_varies
    from orchestrator.planning.estimates import Assumptions, refuse_beyond_budget
    from orchestrator.planning.plan_json import plan_sections
    from orchestrator.terminal.plan import plan_view

    loaded, planned, store = planned_study(study, chosen_root(storage), selection, only)
    assumed = Assumptions.of(gpu, mfu, text_tokens)
    forecast = None if profile is None else _forecast(planned, store, profile, gpu, assumed)
    power = _power(loaded, planned, store)
    if as_json:
        further = {} if forecast is None else {"forecast": forecast.as_json()}
        powers = [hypothesis.as_json() for hypothesis in power]
        print_json({**plan_sections(planned, assumed), "power": powers, **further})
    else:
        origins = loaded.provenance() if provenance else None
        out = console()
        if forecast is not None:
            from orchestrator.terminal.forecast import forecast_lines

            for line in forecast_lines(forecast):
                out.print(line, soft_wrap=True, highlight=False)
        out.print(plan_view(planned, origins, assumed))
        if power:
            from orchestrator.terminal.power_table import power_view

            out.print(power_view(power))
        for note in (f"{what_varies(planned)}.", *_unmet_requests(planned)):
            out.print(note)
    refuse_beyond_budget(planned, assumed)


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
        print(to_json(shown))
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

    text = FORMS[form](shown)
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
) -> None:
    """Print which attempts of a trial have failed, and what its workers wrote."""
    from orchestrator.state.failures import attempt_line, read_failures
    from orchestrator.state.logs import find_trial, print_logs, stored_trials

    store = open_store(existing_storage(storage))
    found = find_trial(stored_trials(store), trial, seed)
    for failure in read_failures(store, found.study, found.id):
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
) -> None:
    """Send everything that storage holds of a study to an MLflow server; what is there already stays as it is."""
    from orchestrator.tracking.mlflow_connect import open_command, open_tracker
    from orchestrator.tracking.sync import sync_study

    loaded, planned, store = planned_study(study, existing_storage(storage), selection)
    tracker, out = open_tracker(tracking_uri, store.root), console()
    sent = sync_study(loaded, planned, store, tracker, partial(out.print, soft_wrap=True))
    if register_best is not None:
        out.print(_registered(tracker, register_best, loaded, planned, store), soft_wrap=True)
    out.print(f"{sent.points:,} points sent\n{open_command(tracker)}", soft_wrap=True)
    if sent.missing is not None:
        raise InputError(
            f"everything must arrive, but the server did not take {sent.missing}",
            place=tracker.uri,
            way_out="What it took is there. Mend what it names and run the same command again: storage keeps all.",
        )


def _registered(tracker: MlflowTracker, name: str, loaded: Study, planned: Plan, store: Store) -> str:
    """Give the model of the best trial a name on the server, and say so."""
    from orchestrator.reporting.summary import summarize
    from orchestrator.tracking.tracker import TrackerAwayError, TrackerDeniedError, TrackerRefusedError

    best = summarize(loaded, planned, store).best_trial
    if best is None:
        raise InputError("a study must have scores before its best model has a name", key="--register-best")
    try:
        version = tracker.register_best(name, best)
    except (TrackerAwayError, TrackerDeniedError, TrackerRefusedError) as error:
        raise InputError(f"the server must register the model, but it says: {error}", place=tracker.uri) from error
    return f"{name}@best is version {version}: the model of {best}"


def _power(loaded: Study, planned: Plan, store: Store) -> tuple[HypothesisPower, ...]:
    """Predict what the plan's hypotheses can decide, from what storage knows of their arms and benchmarks."""
    if not loaded.hypotheses:
        return ()
    from orchestrator.analysis.plan_knowledge import what_is_known
    from orchestrator.analysis.plan_power import plan_power
    from orchestrator.analysis.study_scores import StudyScores
    from orchestrator.planning.preflight import known_digests
    from orchestrator.state.ledger import read_ledger

    ledger, counts = read_ledger(planned, store), known_digests(store).counts
    compared = {arm for hypothesis in loaded.hypotheses for pair in hypothesis.pairs for arm in pair}
    trials = tuple(trial for trial in planned.trials if trial.arm in compared)
    scored = StudyScores.of(replace(planned, trials=trials), store, ledger)
    return plan_power(loaded, planned, what_is_known(planned, store, ledger, counts, scored))


def _forecast(planned: Plan, store: Store, name: str, gpu: str | None, assumed: Assumptions) -> Forecast:
    """Forecast what the rest of a study takes on the cluster of a profile, on its GPUs where no other was named."""
    from cluster.profile import load_profile
    from orchestrator.planning.forecast import forecast
    from orchestrator.state.ledger import read_ledger

    profile = load_profile(name)
    kinds = {kind.gpu for kind in profile.nodes if kind.gpu is not None}
    if gpu is None and len(kinds) == 1:
        assumed = replace(assumed, gpu=kinds.pop())
    return forecast(planned, read_ledger(planned, store), store, profile, assumed)


def _unmet_requests(planned: Plan) -> list[str]:
    """Note requests that this machine cannot meet: the study may be meant for a cluster."""
    from cluster.fit import impossible, this_machine
    from orchestrator.running.tasks import requests_by_arm

    reasons = impossible(requests_by_arm(planned), this_machine())
    if not reasons:
        return []
    name, reason = next(iter(reasons.items()))
    more = f" (and {len(reasons) - 1} more arms)" if len(reasons) > 1 else ""
    return [f"this machine cannot run it: {name} {reason}{more}"]
