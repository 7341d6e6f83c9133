"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer
from rich.console import Console

from orchestrator.settings import data_root, storage_root
from search_spaces.errors import InputError

if TYPE_CHECKING:
    from search_spaces.plan import Plan
    from search_spaces.study import Study
    from trainables.storage.store import LocalStore

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

GpuOption = Annotated[
    str | None, typer.Option("--gpu", help="What memory and hours are for: h200, h100, a100, ... [h100].")
]
MfuOption = Annotated[
    float | None, typer.Option("--mfu", min=0.01, max=1.0, help="Share of the GPU's peak that is reached [0.3].")
]
TextOption = Annotated[
    int | None, typer.Option("--text-tokens", min=1, help="Mean length of a text, for operations and hours [256].")
]


class PlannedStudy(NamedTuple):
    """A study as it was written, what it comes to, and the storage that it is about."""

    study: Study
    plan: Plan
    store: LocalStore


def planned_study(
    study: str,
    storage: Path | None,
    data: Path | None,
    overrides: list[str] | None,
    limit: int | None,
    toy: bool,
    features: str,
    features_budget: float,
) -> PlannedStudy:
    """A study and its plan with the digests that storage knows; nothing is read but that."""
    from orchestrator.planning.planned import RunOptions, plan
    from orchestrator.planning.preflight import known_digests
    from search_spaces.study_files import load_study

    loaded = load_study(study, overrides or ())
    store = open_store(storage_root(storage))
    options = RunOptions(
        storage=store.root,
        data=data_root(data, store.root),
        limit=limit,
        features=features_choice(features),
        features_budget_bytes=int(features_budget * 1e9),
        toy=toy,
    )
    return PlannedStudy(loaded, plan(loaded, options, known_digests(store)), store)


def features_choice(value: str) -> Literal["auto", "cache", "stream"]:
    if value in ("auto", "cache", "stream"):
        return value  # type: ignore[return-value]
    raise InputError(f"must be one of auto, cache, stream, but got {value!r}", key="--features")


def open_store(root: Path) -> LocalStore:
    from trainables.storage.store import LocalStore

    return LocalStore(root)


def console() -> Console:
    """As wide as the terminal; where there is none, wide enough for tables of a dozen benchmarks."""
    return Console() if sys.stdout.isatty() else Console(width=160)
