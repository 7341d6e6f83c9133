"""Commands that check, convert and describe training data."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.commands.option_groups import takes_groups
from orchestrator.commands.options import (
    DataOption,
    JsonOption,
    SetOption,
    StorageOption,
    console,
    open_store,
    print_json,
)
from orchestrator.exit_codes import EXIT_BAD_INPUT, EXIT_DONE
from orchestrator.settings import chosen_root, data_root, storage_root
from search_spaces.errors import InputError

if TYPE_CHECKING:
    from orchestrator.data.targets import Target
    from trainables.data.pace import Progress
    from trainables.storage.records import Counts
    from trainables.storage.store import LocalStore


data = typer.Typer(help="Data sources: check them, convert them to Parquet, describe them.", no_args_is_help=True)

WhatArgument = Annotated[
    str,
    typer.Argument(
        metavar="WHAT",
        help="A study, the name of a data source, or a file of conversations (JSON, Parquet).",
    ),
]


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """Options of commands that read data: where from, and with how many threads."""

    images: Annotated[
        Path | None,
        typer.Option("--images", help="Of a JSON file: the folder its image paths start from (default: its own)."),
    ] = None
    source: Annotated[
        str | None, typer.Option("--source", help="Of a study: this one of its sources, its own ones included.")
    ] = None
    storage: StorageOption = None
    data_folder: DataOption = None
    overrides: SetOption = None
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, max=1024, help="Threads that read and decode images (default: the CPUs, at most 16)."
        ),
    ] = None

    def places(self, *, writes: bool = False) -> tuple[LocalStore, Path]:
        """Open the storage, and name the folder in which relative paths of sources start.

        Args:
            writes: whether the command writes: one that only reads makes no storage.
        """
        root = storage_root(self.storage) if writes else chosen_root(self.storage)
        return open_store(root), data_root(self.data_folder, root)

    def threads(self) -> int:
        """Choose the number of threads that read and decode images."""
        from trainables.data.checked_images import default_threads

        return self.workers or default_threads()


@data.command()
@takes_groups
def check(
    what: WhatArgument,
    *,
    reading: ReadingOptions,
    as_json: JsonOption = False,
) -> None:
    """Read everything a study or source needs: every record, every image. Exit code 2 if something is wrong."""
    from orchestrator.data.check import check_source, to_terminal
    from orchestrator.data.targets import targets

    store, root = reading.places()
    checks = []
    for target in targets(what, reading.images, reading.source, store, root, reading.overrides):
        with _progress(target) as progress:
            checks.append(check_source(target, store, root, reading.threads(), progress))
    if as_json:
        print_json({"items": [asdict(check) for check in checks]})
    else:
        to_terminal(checks, console())
    raise typer.Exit(EXIT_DONE if all(check.is_fine for check in checks) else EXIT_BAD_INPUT)


@data.command()
@takes_groups
def convert(
    what: WhatArgument,
    *,
    to: Annotated[Path, typer.Option("--to", help="The folder to write, new.")],
    reading: ReadingOptions,
    as_json: JsonOption = False,
) -> None:
    """Write a source as Parquet, with the same digest: nothing is trained anew. Run again, it goes on."""
    from orchestrator.data.targets import in_all_uses, targets
    from trainables.data.convert import convert_source
    from trainables.data.problems import left_out_lines
    from trainables.storage import layout

    store, root = reading.places(writes=True)
    chosen = in_all_uses(targets(what, reading.images, reading.source, store, root, reading.overrides))
    if len(chosen) != 1:
        names = ", ".join(target.source.name for target in chosen)
        raise InputError(f"convert writes one source, but {what} has {names}", way_out="Name one with --source.")
    with _progress(chosen[0]) as progress:
        done = convert_source(chosen[0].source, root, to, store, reading.threads(), progress)
    if as_json:
        print_json({**asdict(done), "folder": str(done.folder)})
        return
    kept = f", {done.kept} of them kept from before" if done.kept else ""
    out = console()
    out.print(f"{done.folder}: {_counts_text(done.counts)}, {done.shards} files{kept}", soft_wrap=True)
    for line in left_out_lines(done.counts, store.place(layout.data_problems(chosen[0].source.name))):
        out.print(f"{line}; they are in the files, so that a study must go on to `drop` them", soft_wrap=True)
    out.print(f"digest {done.digest}\nTo use it, give the source `reader: parquet` and `path: {to}`.")


@data.command()
@takes_groups
def stats(
    what: WhatArgument,
    *,
    reading: ReadingOptions,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Of a source: global batch to count steps with.")] = 128,
    as_json: JsonOption = False,
) -> None:
    """Describe records, texts and images of sources, and for a study its mixes as they come out."""
    from orchestrator.data.stats import describe_mixes, describe_source, to_terminal
    from orchestrator.data.targets import targets

    store, root = reading.places()
    chosen = targets(what, reading.images, reading.source, store, root, reading.overrides)
    described = []
    for target in chosen:
        with _progress(target) as progress:
            described.append(describe_source(target, store, root, batch, reading.threads(), progress))
    mixes = describe_mixes(chosen, described)
    if as_json:
        print_json({"sources": described, "mixes": mixes})
    else:
        to_terminal(described, mixes, console())


@data.command("make-mini")
def make_mini(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; it must not be there yet.")],
    images: Annotated[int, typer.Option("--images", min=24, help="Images of each benchmark.")] = 48,
    training_images: Annotated[int, typer.Option("--training-images", min=24, help="Scenes to train on.")] = 600,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed draws other scenes.")] = 7,
) -> None:
    """Draw a miniature of every benchmark: official files with known answers, training records, open prompts.

    Studies that name its sources make it themselves, below --data; this is for looking at it, and for other programs.
    """
    from trainables.miniature.generate import Size, generate
    from trainables.storage.store import LocalStore

    target = folder.expanduser().absolute()
    if target.exists():
        raise InputError("must not be there yet", key="DIR", place=str(target), way_out="Name a new folder.")
    with LocalStore(target.parent).writing(target.name) as aside:
        generate(Size(images, training_images, seed), aside)
    print(target)


def _counts_text(counts: Counts) -> str:
    return f"{counts.records:,} records, {counts.images:,} images, {counts.text_only:,} text-only"


@contextmanager
def _progress(target: Target) -> Iterator[Progress]:
    """Show progress as a bar on a terminal, else as a line every ten seconds; on stderr, so that JSON stays whole."""
    from trainables.data.pace import Pace

    name = target.source.name
    if not sys.stderr.isatty():
        yield Pace(name, lambda line: print(line, file=sys.stderr, flush=True))
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console(stderr=True), transient=True) as bars:
        yield _Bars(bars, name)


class _Bars:
    """Progress bars, one for each phase of reading a source."""

    def __init__(self, bars: Any, name: str):
        self._bars, self._name = bars, name
        self._tasks: dict[str, Any] = {}

    def at(self, phase: str, done: int, total: int | None) -> None:
        if phase not in self._tasks:
            self._tasks[phase] = self._bars.add_task(f"{self._name}: {phase}", total=total)
        self._bars.update(self._tasks[phase], completed=done)
