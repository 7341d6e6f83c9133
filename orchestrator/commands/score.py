"""Commands about benchmarks: scoring predictions made anywhere, and what a benchmark wants and has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.commands.options import JsonOption, console
from search_spaces.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from trainables.benchmarks.contract import Benchmark
    from trainables.benchmarks.inventory import Checked
    from trainables.benchmarks.scoring import Scored

BenchmarkArgument = Annotated[str, typer.Argument(metavar="BENCHMARK", help="A benchmark's id: `benchmarks list`.")]


def score(
    benchmark: BenchmarkArgument,
    references: Annotated[
        list[Path],
        typer.Option("--references", metavar="PATH", help="Official files, or folders of them; repeatable."),
    ],
    predictions: Annotated[
        Path,
        typer.Option("--predictions", metavar="FILE", help='JSON Lines: {"id", "prediction"} or {"id", "scores"}.'),
    ],
    protocol: Annotated[str, typer.Option("--protocol", help="How it is parsed and scored.")] = "official",
    split: Annotated[str | None, typer.Option("--split", help="Another split of the same files.")] = None,
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

    found = find_benchmark(benchmark)
    found.protocol(protocol)
    examples = found.examples(find_files(found.id, found.files, references), split)
    scored = score_predictions(found, protocol, examples, read_predictions(predictions), split)
    if per_example is not None:
        write_examples(scored, per_example, model_digest, seed)
    if as_json:
        print(json.dumps(scored.to_json(), indent=1))
    else:
        _show_score(scored, console())


def _show_score(scored: Scored, out: Console) -> None:
    from rich.table import Table

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
    out.print(counts + (f", not counted {scored.excluded:,}" if scored.excluded else ""), highlight=False)
    for warning in scored.warnings:
        out.print(f"note: {warning}", highlight=False)


benchmarks = typer.Typer(no_args_is_help=True, help="What benchmarks there are, what they want, and what is there.")


@benchmarks.command("list")
def list_benchmarks(as_json: JsonOption = False) -> None:
    """Every benchmark with its split, size and protocols."""
    from rich.table import Table

    from trainables.benchmarks.registry import BENCHMARKS

    if as_json:
        print(json.dumps([_benchmark_json(one) for one in BENCHMARKS.values()], indent=1))
        return
    table = Table("id", "title", "split", "examples", "headline", "protocols")
    for one in BENCHMARKS.values():
        sizes = " or ".join(f"{size:,}" for size in one.totals.examples)
        headline = next(iter(one.protocols.values())).headline
        table.add_row(one.id, one.title, one.split, sizes, headline, " ".join(one.protocols))
    console().print(table)


@benchmarks.command("show")
def show_benchmark(benchmark: BenchmarkArgument, as_json: JsonOption = False) -> None:
    """One benchmark: its files and where they are published, its protocols, its slim subset."""
    from trainables.benchmarks.registry import find_benchmark

    found = find_benchmark(benchmark)
    if as_json:
        print(json.dumps(_benchmark_json(found), indent=1))
        return
    out = console()
    lines = [f"{found.id}: {found.title}, {found.split}", "", "files"]
    for file in found.files:
        needed = "" if file.required else " (not needed for scoring)"
        lines.append(f"  {file.role}: {' or '.join(file.patterns)}{needed}\n    {file.published}")
    lines += ["images", f"  {found.images}", "protocols"]
    for name, protocol in found.protocols.items():
        lines.append(f"  {name} v{protocol.version}, headline {protocol.headline}: {protocol.about}")
    lines += ["size", f"  {_power(found)}"]
    out.print("\n".join(lines), highlight=False, markup=False)


def _benchmark_json(one: Benchmark) -> dict[str, Any]:
    return {
        "id": one.id,
        "title": one.title,
        "split": one.split,
        "splits": [one.split, *one.splits],
        "examples": list(one.totals.examples),
        "images": one.images,
        "files": [
            {"role": f.role, "names": list(f.patterns), "published": f.published, "required": f.required}
            for f in one.files
        ],
        "protocols": {
            name: {"version": p.version, "headline": p.headline, "about": p.about} for name, p in one.protocols.items()
        },
        "power": _power(one),
    }


def _power(one: Benchmark) -> str:
    from search_spaces.catalogue.load import shipped
    from trainables.benchmarks.slim import power_statement

    slim = {choice.id: choice.sample for choice in shipped().suites["prismatic-12-slim"]}
    return power_statement(one.totals.examples[0], slim.get(one.id))


@benchmarks.command("check")
def check_benchmarks(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder with one folder per benchmark id.")],
    only: Annotated[list[str] | None, typer.Option("--only", metavar="BENCHMARK", help="Repeatable.")] = None,
    missing: Annotated[
        Path | None,
        typer.Option("--missing", metavar="FOLDER", help="Where lists of missing images are written (default: DIR)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """For each benchmark: the files it wants, what is there, examples against published totals, missing images."""
    from trainables.benchmarks.inventory import check_benchmark
    from trainables.benchmarks.registry import BENCHMARKS, find_benchmark

    if not folder.is_dir():
        raise InputError(f"must be a folder, but got {folder}", key="DIR")
    chosen = [find_benchmark(name) for name in only] if only else list(BENCHMARKS.values())
    checked = [check_benchmark(one, folder / (one.folder or one.id)) for one in chosen]
    lists = {one.benchmark: _write_missing(one, missing or folder) for one in checked if one.missing_images}
    if as_json:
        shown = [{**one.to_json(), "missing_list": lists.get(one.benchmark)} for one in checked]
        print(json.dumps(shown, indent=1))
    else:
        for one in checked:
            _show_checked(one, lists.get(one.benchmark), console())


def _write_missing(one: Checked, folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"missing-images-{one.benchmark}.txt"
    file.write_text("\n".join(one.missing_images) + "\n")
    return str(file)


def _show_checked(one: Checked, missing_list: str | None, out: Console) -> None:
    lines = [f"{one.benchmark}: {one.state} ({one.folder})"]
    for file in one.files:
        if file.paths:
            lines.append(f"  {file.role}: {', '.join(file.paths)}\n    sha256 {file.sha256}")
        elif one.state != "complete":
            needed = "wants" if file.required else "may have"
            lines.append(f"  {needed} {file.role}: {' or '.join(file.wanted)}\n    {file.published}")
    if one.problem:
        lines += [f"  {line}" for line in one.problem.splitlines()]
    if one.n:
        known = " or ".join(f"{size:,}" for size in one.known)
        lines.append(f"  {one.n:,} examples ({known} published), {one.images:,} images")
    if missing_list:
        lines.append(f"  {len(one.missing_images):,} images are missing: {missing_list}")
    for example in one.examples:
        lines.append(f"  e.g. {example['id']}: {example['question']!r} -> {_short(example['reference'])}")
    out.print("\n".join(lines), highlight=False, markup=False)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
