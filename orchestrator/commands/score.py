"""Score predictions that were made anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchestrator.commands.options import BenchmarkArgument, JsonOption, console, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from trainables.benchmarks.scoring import Scored

BoxForm = Literal["corners", "xywh"]


def score(
    benchmark: BenchmarkArgument,
    references: Annotated[
        list[Path],
        typer.Option("--references", metavar="PATH", help="Official files, or folders of them; repeatable."),
    ],
    predictions: Annotated[
        list[Path],
        typer.Option(
            "--predictions",
            metavar="FILE",
            help='Lines of {"id", "prediction"}, or the results file of a benchmark, LLaVA, lmms-eval, VLMEvalKit;'
            " repeatable.",
        ),
    ],
    protocol: Annotated[str, typer.Option("--protocol", help="How it is parsed and scored.")] = "official",
    split: Annotated[str | None, typer.Option("--split", help="Another split of the same files.")] = None,
    boxes: Annotated[
        BoxForm | None,
        typer.Option("--boxes", help="What four numbers in a list are (default: as they and their field show)."),
    ] = None,
    per_example: Annotated[
        Path | None, typer.Option("--per-example", metavar="FILE", help="Write each example's score as Parquet.")
    ] = None,
    model_digest: Annotated[str, typer.Option("--model-digest", help="Kept in the Parquet's metadata.")] = "",
    seed: Annotated[str, typer.Option("--seed", help="Kept in the Parquet's metadata.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Score predictions, wherever they were made, by the rules of a benchmark's authors or of a named harness."""
    from trainables.benchmarks.files.reference_files import find_files
    from trainables.benchmarks.predictions import read_predictions
    from trainables.benchmarks.registry import find_benchmark
    from trainables.benchmarks.scoring import score_predictions, write_examples

    if per_example is not None:
        _check_written(per_example, [*references, *predictions])
    chosen = find_benchmark(benchmark)
    chosen.protocol(protocol)
    examples = chosen.examples(find_files(chosen.id, chosen.files, references), split)
    _refuse_references(predictions, references)
    answers = read_predictions(predictions, examples, boxes)
    scored = score_predictions(chosen, protocol, examples, answers, split)
    scored = replace(scored, warnings=(*scored.warnings, *answers.notes))
    if per_example is not None:
        write_examples(scored, per_example, model_digest, seed)
    if as_json:
        print_json(scored.to_json())
    else:
        _show_score(scored, console())


def _refuse_references(predictions: Sequence[Path], references: Sequence[Path]) -> None:
    """Refuse a file of predictions that is one of references: whatever is in it, all of it would be right."""
    from search_spaces.errors import InputError

    files = [file for path in references for file in (path.rglob("*") if path.is_dir() else [path])]
    for path in predictions:
        same = next((file for file in files if file.is_file() and path.is_file() and _holds_the_same(path, file)), None)
        if same is not None:
            raise InputError(f"must be predictions, but {path} holds what {same} does", key="--predictions")


def _holds_the_same(first: Path, second: Path) -> bool:
    return first.samefile(second) or (
        first.stat().st_size == second.stat().st_size and first.read_bytes() == second.read_bytes()
    )


def _check_written(file: Path, read: Sequence[Path]) -> None:
    """Check, before anything is scored, that a file can be written and is none of those that are read."""
    from search_spaces.errors import InputError

    if file.is_dir():
        raise InputError(f"must be a file, but {file} is a folder", key="--per-example")
    if not file.parent.is_dir():
        raise InputError(f"must lie in a folder that is there, but {file.parent} is not", key="--per-example")
    if file.exists() and any(other.exists() and file.samefile(other) for other in read):
        raise InputError(f"must not be a file that is read, but {file} is", key="--per-example")


def _show_score(scored: Scored, out: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    from trainables.benchmarks.reading_notes import SAYS_LITTLE

    table = Table(title=f"{scored.benchmark} ({scored.split}), protocol {scored.protocol} v{scored.version}")
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column("unit")
    for name, value in scored.metrics.items():
        style = "bold" if name == scored.headline else None
        table.add_row(
            name, f"{value:.2f}" if scored.units[name] == "points" else f"{value:.4f}", scored.units[name], style=style
        )
    out.print(table)
    counts = f"n = {scored.n:,}, unparsable {scored.unparsable:,}"
    counts += f", not counted {scored.excluded:,}" if scored.excluded else ""
    best = (
        f"{scored.best_reachable:.2f}" if scored.units[scored.headline] == "points" else f"{scored.best_reachable:.4f}"
    )
    out.print(f"{counts}, best reachable {scored.headline} {best}")
    for warning in scored.warnings:
        kind = "warning" if warning.startswith(SAYS_LITTLE) else "note"
        out.print(Text(f"{kind}: {warning}"))
