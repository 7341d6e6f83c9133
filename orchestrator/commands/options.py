"""Options that several commands share."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer
from rich.console import Console

from orchestrator.json_bounds import CURRENT, UNBOUNDED
from orchestrator.json_text import json_text
from orchestrator.schema_version import SCHEMA_VERSION
from orchestrator.settings import data_root
from search_spaces.errors import InputError

if TYPE_CHECKING:
    from orchestrator.planning.planned import PlanOptions
    from search_spaces.plan import Plan
    from search_spaces.study import Study
    from trainables.storage.store import LocalStore


MOST_GB = 1e9
"""An exabyte: `--features-budget inf` is without a limit."""


def complete_study(incomplete: str) -> list[str]:
    """List the shipped studies that a shell may complete a word to; it completes files by itself."""
    from search_spaces.study_files import shipped_studies

    return [name for name in shipped_studies() if name.startswith(incomplete)]


StudyArgument = Annotated[
    str,
    typer.Argument(
        autocompletion=complete_study,
        metavar="STUDY",
        help="A study file or its folder, a shipped study, or a name on storage.",
    ),
]
OptionalStudyArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[STUDY]", help="A study file, or the name of a shipped study.")
]
BenchmarkArgument = Annotated[str, typer.Argument(metavar="BENCHMARK", help="A benchmark's id: `benchmarks list`.")]
StorageOption = Annotated[
    Path | None, typer.Option("--storage", help="Storage root (default: $ABLATE_STORAGE, else ~/.ablate).")
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Where paths of sources and weights start (default: $ABLATE_DATA, else STORAGE/sources)."
    ),
]
TrackingOption = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri", envvar="MLFLOW_TRACKING_URI", help="MLflow server (default: SQLite in the storage)."
    ),
]
OfflineOption = Annotated[
    bool, typer.Option("--offline", help="Talk to no tracking server; `ablate sync` sends everything later.")
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address",
        help="A running Ray cluster: host:port of its head, `auto`, or `local` for one inside this machine "
        "(default: $RAY_ADDRESS, else local).",
    ),
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a value of the file; repeatable.")
]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N trials, in plan order.")]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="ARM|AXIS|AXIS=VALUE",
        help="Only the trials of an arm, of an axis (with the base), or of a value; repeatable.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
ToyOption = Annotated[
    bool, typer.Option("--toy", help="Every model tiny, all data generated, few steps: a smoke test of the study.")
]
FeaturesOption = Annotated[
    Literal["auto", "cache", "stream"],
    typer.Option("--features", help="Whether features of frozen encoders are cached."),
]
BudgetOption = Annotated[
    float, typer.Option("--features-budget", min=0, help="Of --features auto: GB of cached features at most.")
]

ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", help="A cluster, by its name or its file: what the study takes there, simulated."),
]
GpuOption = Annotated[
    str | None, typer.Option("--gpu", help="What memory and hours are for: h200, h100, a100, ... (default: h100).")
]
MfuOption = Annotated[
    float | None,
    typer.Option(
        "--mfu", min=0.01, max=1.0, help="Share of the GPU's peak that is reached (default: the catalogue's)."
    ),
]
TextOption = Annotated[
    int | None,
    typer.Option(
        "--text-tokens",
        min=1,
        help="Mean length of a text, for operations and hours (default: measured by `ablate data stats`, else 256).",
    ),
]


@dataclass(frozen=True, kw_only=True)
class SelectionOptions:
    """Options that select trials of a study and plan them. Equal flags select equal trials in every command."""

    data: DataOption = None
    overrides: SetOption = None
    limit: LimitOption = None
    toy: ToyOption = False
    features: FeaturesOption = "auto"
    features_budget: BudgetOption = 20

    def plan_options(self, storage: Path, address: str | None = None) -> PlanOptions:
        """Turn the command line's options into those of a plan on this storage.

        Args:
            storage: absolute root, from `orchestrator.settings`.
            address: of the Ray cluster that the trials are meant for; None for this machine.
        """
        from orchestrator.planning.planned import PlanOptions

        return PlanOptions(
            storage=storage,
            data=data_root(self.data, storage),
            overrides=tuple(self.overrides or ()),
            limit=self.limit,
            toy=self.toy,
            features=self.features,
            features_budget_bytes=int(min(self.features_budget, MOST_GB) * 1e9),
            address=address,
        )


class PlannedStudy(NamedTuple):
    """A study as it was written, its plan, and the storage that holds its results."""

    study: Study
    plan: Plan
    store: LocalStore


def planned_study(
    study: str, storage: Path, selection: SelectionOptions, only: Sequence[str] | None = None
) -> PlannedStudy:
    """Load a study and plan it with the digests that storage knows. No data and no weights are read.

    Args:
        study: a study file or its folder, the name of a shipped study, or of one that the storage has.
        storage: absolute root, from `orchestrator.settings`.
        selection: options of the command line.
        only: names of arms, axes and values whose trials the plan keeps; None for all.
    """
    from orchestrator.planning.named_study import named_study
    from orchestrator.planning.planned import expand, plan
    from orchestrator.planning.preflight import known_digests
    from orchestrator.planning.selection import selected_trials

    store = open_store(storage)
    options = selection.plan_options(store.root)
    loaded = named_study(study, store.root, options.overrides)
    expansion = expand(loaded, options)
    planned = plan(expansion, options, known_digests(store))
    if only:
        planned = planned.narrowed(selected_trials(expansion, only, options.limit))
    return PlannedStudy(loaded, planned, store)


def item_paths(items: Sequence[str], named: Sequence[str]) -> list[str]:
    """Join the paths of `--items a b`: typer takes the first for the option's value, the others for arguments.

    Raises:
        InputError: if there is a study among them.
    """
    from search_spaces.study_files import shipped_studies

    for name in (*items, *named):
        is_shipped = name in shipped_studies() and not Path(name).expanduser().exists()
        if is_shipped or name.lower().endswith((".yaml", ".yml")):
            law = f"must be JSON Lines, Parquet or folders, without a STUDY beside them, but got {name!r}"
            way_out = "Claims come after --hypotheses; a study is judged without --items."
            raise InputError(law, key="--items", way_out=way_out)
    return [*items, *named]


def open_store(root: Path) -> LocalStore:
    """Open the storage at an absolute root."""
    from trainables.storage.store import LocalStore

    return LocalStore(root)


def console(*, stderr: bool = False) -> Console:
    """Make a console as wide as the terminal; where there is none, wide enough for tables of a dozen benchmarks.

    What is printed is text: brackets, colons and numbers in names and paths mean nothing to it.
    """
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if is_terminal else 160
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)


def print_json(document: Mapping[str, Any]) -> None:
    """Print an object as JSON that any program reads: a number that is not defined is null, as JSON has no NaN.

    It begins with `schema_version` and keeps within the bounds of the command. Its lists have an item on each line and
    may be iterators, so that a plan of 100,000 arms, hundreds of megabytes of text, is never held whole.

    Args:
        document: of plain values; they may also be iterators of them.
    """
    versioned = {"schema_version": SCHEMA_VERSION, **document}
    chosen = CURRENT.get()
    sys.stdout.writelines(_object_lines(versioned if chosen == UNBOUNDED else chosen.applied_to(versioned)))


def within_bounds(text: str) -> str:
    """Return a JSON object that is written already; written anew where the command has bounds."""
    chosen = CURRENT.get()
    return text if chosen == UNBOUNDED else "".join(_object_lines(chosen.applied_to(json.loads(text))))


def _object_lines(members: dict[str, Any]) -> Iterator[str]:
    """Write an object piece by piece: a member on each line, and of lists an item."""
    separator = "{\n "
    for key, value in members.items():
        yield f"{separator}{json.dumps(key)}: "
        separator = ",\n "
        if isinstance(value, list | tuple | Iterator):
            before = "[\n  "
            for item in value:
                yield before + json_text(item)
                before = ",\n  "
            yield "[]" if before.startswith("[") else "\n ]"
        else:
            yield json_text(value)
    yield "\n}\n"
