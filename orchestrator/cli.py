"""The command line. Every command imports what it needs when it runs, so that help and plans answer at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from orchestrator.settings import data_root, refuse_foreign_packages, storage_root
from search_spaces.errors import InputError

if TYPE_CHECKING:
    from orchestrator.ledger import TrialState
    from search_spaces.plan import Plan
    from trainables.store import LocalStore

EXIT_DONE, EXIT_TRIAL_FAILED, EXIT_BAD_INPUT, EXIT_STOPPED, EXIT_SIGNAL = 0, 1, 2, 3, 128

app = typer.Typer(
    help="Ablation studies of vision-language models: one YAML file in, trained, evaluated and compared models out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StudyArgument = Annotated[str, typer.Argument(metavar="STUDY", help="A study file, or the name of a shipped study.")]
StorageOption = Annotated[
    Path | None, typer.Option("--storage", help="Storage root [default: $ABLATE_STORAGE, else ~/.ablate].")
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Where paths of sources and weights start [$ABLATE_DATA, else STORAGE/sources]."),
]
TrackingOption = Annotated[
    str | None,
    typer.Option("--tracking-uri", envvar="MLFLOW_TRACKING_URI", help="MLflow server [SQLite in the storage]."),
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a value of the file; repeatable.")
]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N trials, in plan order.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
ToyOption = Annotated[
    bool, typer.Option("--toy", help="Every model tiny, all data generated, few steps: a smoke test of the study.")
]
FeaturesOption = Annotated[str, typer.Option("--features", help="Features of frozen encoders: auto, cache or stream.")]
BudgetOption = Annotated[
    float, typer.Option("--features-budget", min=0, help="Of --features auto: GB of cached features at most.")
]


@app.command()
def schema() -> None:
    """Print the JSON Schema of study files."""
    from search_spaces.schema import study_schema

    print(json.dumps(study_schema(), indent=2))


@app.command()
def plan(
    study: StudyArgument,
    storage: StorageOption = None,
    overrides: SetOption = None,
    limit: LimitOption = None,
    toy: ToyOption = False,
    features: FeaturesOption = "auto",
    features_budget: BudgetOption = 20,
    provenance: Annotated[bool, typer.Option("--provenance", help="Show where each value came from.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a study would do: arms, trials, stages, what is shared. Nothing is trained or downloaded."""
    from orchestrator.plan_view import plan_json, plan_view
    from search_spaces.study import load_study

    planned, _ = _plan(study, storage, overrides, limit, toy, features, features_budget)
    if as_json:
        print(json.dumps(plan_json(planned), indent=1))
    else:
        origins = load_study(study, overrides or ()).provenance() if provenance else None
        console = _console()
        console.print(plan_view(planned, origins))
        for note in _unmet_asks(planned):
            console.print(note, highlight=False)


@app.command()
def run(
    study: StudyArgument,
    storage: StorageOption = None,
    data: DataOption = None,
    tracking_uri: TrackingOption = None,
    address: Annotated[
        str | None, typer.Option("--address", help="A running Ray cluster (`auto` or host:port) [default: embedded].")
    ] = None,
    cpus: Annotated[int | None, typer.Option("--cpus", min=1, help="CPUs of the embedded cluster [all].")] = None,
    max_concurrent: Annotated[
        int | None, typer.Option("--max-concurrent", min=1, help="Most trials at a time [default: what fits].")
    ] = None,
    overrides: SetOption = None,
    limit: LimitOption = None,
    toy: ToyOption = False,
    features: FeaturesOption = "auto",
    features_budget: BudgetOption = 20,
    as_json: JsonOption = False,
) -> None:
    """Train and evaluate what is left of a study. Run it again to resume; finished work is never done twice."""
    from orchestrator import report_views as views
    from orchestrator.report import build_report
    from orchestrator.run_study import RunOptions, run_study

    root = storage_root(storage)
    options = RunOptions(
        storage=root,
        data=data_root(data, root),
        tracking_uri=tracking_uri,
        address=address,
        cpus=cpus,
        overrides=tuple(overrides or ()),
        limit=limit,
        max_concurrent=max_concurrent,
        features=_features(features),
        features_budget_bytes=int(features_budget * 1e9),
        toy=toy,
    )
    console = Console(stderr=True) if as_json else _console()
    done = run_study(study, options, console)
    shown = build_report(done.plan, _store(root), done.ledger)
    if as_json:
        print(views.to_json(shown))
    else:
        views.to_terminal(shown, console)
        console.print(done.tracking or "Nothing was left to do.", highlight=False, soft_wrap=True)
    raise typer.Exit(_exit_code(done.outcomes.signal if done.outcomes else None, done.ledger.counts()))


def _exit_code(signal: int | None, counts: Mapping[TrialState, int]) -> int:
    if signal is not None:
        return EXIT_SIGNAL + signal
    if counts["failed"]:
        return EXIT_TRIAL_FAILED
    return EXIT_DONE if counts["done"] == sum(counts.values()) else EXIT_STOPPED


@app.command()
def status(
    study: StudyArgument,
    storage: StorageOption = None,
    overrides: SetOption = None,
    limit: LimitOption = None,
    toy: ToyOption = False,
    features: FeaturesOption = "auto",
    features_budget: BudgetOption = 20,
    as_json: JsonOption = False,
) -> None:
    """Show the state of every trial, from storage: also while the study runs, also from another machine."""
    from orchestrator import status as states

    planned, store = _plan(study, storage, overrides, limit, toy, features, features_budget)
    shown = states.study_status(planned, store)
    if as_json:
        print(states.to_json(shown))
    else:
        states.to_terminal(shown, _console())


@app.command()
def report(
    study: StudyArgument,
    storage: StorageOption = None,
    overrides: SetOption = None,
    limit: LimitOption = None,
    toy: ToyOption = False,
    features: FeaturesOption = "auto",
    features_budget: BudgetOption = 20,
    to: Annotated[str, typer.Option("--to", help="terminal, md or json.")] = "terminal",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to a file instead.")] = None,
    as_json: JsonOption = False,
) -> None:
    """What the study has shown so far: arms by benchmarks, and one sentence for every choice."""
    from orchestrator import report_views as views
    from orchestrator.report import build_report

    planned, store = _plan(study, storage, overrides, limit, toy, features, features_budget)
    shown, form = build_report(planned, store), "json" if as_json else to
    if form == "terminal" and output is None:
        views.to_terminal(shown, _console())
        return
    texts = {"md": views.to_markdown, "json": views.to_json}
    if form not in texts:
        raise InputError(f"must be one of terminal, md, json, but got {form!r}", key="--to")
    if output is None:
        print(texts[form](shown))
    else:
        output.write_text(texts[form](shown))


@app.command()
def logs(
    trial: Annotated[str, typer.Argument(metavar="TRIAL", help="A trial's id, its beginning, or an arm's name.")],
    storage: StorageOption = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of an arm's trials, the one with this seed.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the trial ends.")] = False,
) -> None:
    """Print what the workers of a trial wrote."""
    from orchestrator.logs import find_trial, print_logs, stored_trials

    store = _store(storage_root(storage))
    print_logs(store, find_trial(stored_trials(store), trial, seed), sys.stdout, follow=follow)


@app.command()
def sync(
    study: StudyArgument,
    storage: StorageOption = None,
    tracking_uri: TrackingOption = None,
    overrides: SetOption = None,
    limit: LimitOption = None,
    toy: ToyOption = False,
    features: FeaturesOption = "auto",
    features_budget: BudgetOption = 20,
) -> None:
    """Send everything that storage holds of a study to an MLflow server; what is there already stays as it is."""
    from orchestrator.replay import sync_study
    from orchestrator.tracking import open_command, open_tracker

    planned, store = _plan(study, storage, overrides, limit, toy, features, features_budget)
    tracker, console = open_tracker(tracking_uri, store.root), _console()
    points = sync_study(planned, store, tracker, console.print)
    console.print(f"{points:,} points sent\n{open_command(tracker)}", highlight=False, soft_wrap=True)


def main() -> None:
    """Entry point: bad input becomes a message and exit code 2."""
    try:
        refuse_foreign_packages()
        app()
    except InputError as error:
        print(f"ablate: {error}", file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)
    except BrokenPipeError:
        sys.exit(EXIT_DONE)


def _plan(
    study: str,
    storage: Path | None,
    overrides: list[str] | None,
    limit: int | None,
    toy: bool,
    features: str,
    features_budget: float,
) -> tuple[Plan, LocalStore]:
    """A study's plan with the digests that storage knows; nothing is read but that."""
    from orchestrator.preflight import known_digests
    from orchestrator.run_study import RunOptions, plan
    from search_spaces.study import load_study

    loaded = load_study(study, overrides or ())
    store = _store(storage_root(storage))
    options = RunOptions(
        storage=store.root,
        data=data_root(None, store.root),
        limit=limit,
        features=_features(features),
        features_budget_bytes=int(features_budget * 1e9),
        toy=toy,
    )
    return plan(loaded, options, known_digests(store)), store


def _unmet_asks(planned: Plan) -> list[str]:
    """Asks that this machine cannot meet: only a note, as the study may be meant for a cluster."""
    from cluster.fit import impossible, this_machine
    from orchestrator.tasks import asks

    reasons = impossible(asks(planned), this_machine())
    if not reasons:
        return []
    name, reason = next(iter(reasons.items()))
    more = f" (and {len(reasons) - 1} more arms)" if len(reasons) > 1 else ""
    return [f"this machine cannot run it: {name} {reason}{more}"]


def _features(value: str) -> Literal["auto", "cache", "stream"]:
    if value in ("auto", "cache", "stream"):
        return value  # type: ignore[return-value]
    raise InputError(f"must be one of auto, cache, stream, but got {value!r}", key="--features")


def _store(root: Path) -> LocalStore:
    from trainables.store import LocalStore

    return LocalStore(root)


def _console() -> Console:
    """As wide as the terminal; where there is none, wide enough for tables of a dozen benchmarks."""
    return Console() if sys.stdout.isatty() else Console(width=160)
