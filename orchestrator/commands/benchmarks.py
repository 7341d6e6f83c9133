"""Commands that list, describe and check benchmarks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.commands.options import (
    BenchmarkArgument,
    DataOption,
    JsonOption,
    SetOption,
    StorageOption,
    console,
    print_json,
)
from orchestrator.exit_codes import EXIT_BAD_INPUT
from orchestrator.settings import data_root, storage_root
from search_spaces.errors import InputError
from search_spaces.one_line import one_line
from search_spaces.quantities import number_of

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.planning.study_prompts import StudyPrompt
    from trainables.benchmarks.contract import Benchmark
    from trainables.benchmarks.inventory import Checked
    from trainables.evaluation.asking import Asked

_SHOWN_IMAGES = 20

benchmarks = typer.Typer(no_args_is_help=True, help="What benchmarks there are, what they want, and what is there.")


@benchmarks.command("list")
def list_benchmarks(as_json: JsonOption = False) -> None:
    """List every benchmark with its split, size and protocols."""
    from rich.table import Table

    from trainables.benchmarks.registry import BENCHMARKS

    if as_json:
        print_json({"items": [_benchmark_json(benchmark) for benchmark in BENCHMARKS.values()]})
        return
    table = Table("id", "title", "split", "examples", "headline", "protocols")
    for benchmark in BENCHMARKS.values():
        sizes = " or ".join(f"{size:,}" for size in benchmark.totals.examples)
        headline = next(iter(benchmark.protocols.values())).headline
        table.add_row(benchmark.id, benchmark.title, benchmark.split, sizes, headline, " ".join(benchmark.protocols))
    console().print(table)


@benchmarks.command("show")
def show_benchmark(
    benchmark: BenchmarkArgument,
    references: Annotated[
        list[Path] | None,
        typer.Option("--references", metavar="PATH", help="Its files, for the prompt of a real example; repeatable."),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option("--study", help="A study one of whose benchmarks is shown as its language models read it."),
    ] = None,
    overrides: SetOption = None,
    data: DataOption = None,
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one benchmark: its files and where they are published, its protocols with their prompts, its slim subset."""
    from trainables.benchmarks.files.reference_files import find_files
    from trainables.benchmarks.registry import find_benchmark
    from trainables.evaluation.asking import ask_by_all, placeholder

    if study is not None:
        _show_in_study(_study_prompt(study, benchmark, overrides, data, storage), as_json)
        return
    chosen = find_benchmark(benchmark)
    examples = chosen.examples(find_files(chosen.id, chosen.files, references)) if references else ()
    prompts = ask_by_all(chosen, placeholder(examples))
    if as_json:
        print_json(_benchmark_json(chosen, prompts))
        return
    out = console()
    lines = [f"{chosen.id}: {chosen.title}, {chosen.split}", "", "files"]
    for file in chosen.files:
        needed = "" if file.required else " (not needed for scoring)"
        lines.append(f"  {file.role}: {' or '.join(file.patterns)}{needed}\n    {file.published}")
    lines += ["images", f"  {chosen.images}", "protocols"]
    for name, protocol in chosen.protocols.items():
        lines.append(f"  {name} v{protocol.version}, headline {protocol.headline}: {protocol.about}")
        lines += [*_quoted(prompts[name].prompt), f"    {prompts[name].answered}"]
    lines += ["size", f"  {_power(chosen)}"]
    out.print("\n".join(lines))


def _quoted(prompt: str) -> list[str]:
    return [f"    | {one_line(line)}" for line in prompt.split("\n")]


def _study_prompt(
    study: str, benchmark: str, overrides: list[str] | None, data: Path | None, storage: Path | None
) -> StudyPrompt:
    from orchestrator.planning.planned import PlanOptions
    from orchestrator.planning.study_prompts import study_prompt

    root = storage_root(storage)
    options = PlanOptions(storage=root, data=data_root(data, root), overrides=tuple(overrides or ()))
    return study_prompt(study, benchmark, options)


def _show_in_study(shown: StudyPrompt, as_json: bool) -> None:
    if as_json:
        print_json(shown.to_json())
        return
    spec = shown.benchmark
    only = "" if spec.only is None else f", only {number_of(len(spec.only.ids), 'question')}"
    example = one_line(shown.example.id)
    lines = [f"{spec.id} (source {spec.source.declared}{only}), protocol {spec.protocol}, example {example}"]
    for label, text in shown.read_as.items():
        lines += [f"  language {label}; after the beginning of sequence and the image it reads:", *_quoted(text)]
    lines.append(f"  {shown.asked.answered}")
    for name, asked in shown.others.items():
        lines += [f"  protocol {name} would ask:", *_quoted(asked.prompt), f"    {asked.answered}"]
    console().print("\n".join(lines))


def _benchmark_json(benchmark: Benchmark, prompts: Mapping[str, Asked] | None = None) -> dict[str, Any]:
    return {
        "id": benchmark.id,
        "title": benchmark.title,
        "split": benchmark.split,
        "splits": [benchmark.split, *benchmark.splits],
        "examples": list(benchmark.totals.examples),
        "images": benchmark.images,
        "files": [
            {"role": f.role, "names": list(f.patterns), "published": f.published, "required": f.required}
            for f in benchmark.files
        ],
        "protocols": {
            name: {
                "version": p.version,
                "headline": p.headline,
                "about": p.about,
                **({"prompt": prompts[name].prompt, "answered": prompts[name].answered} if prompts else {}),
            }
            for name, p in benchmark.protocols.items()
        },
        "power": _power(benchmark),
    }


def _power(benchmark: Benchmark) -> str:
    from search_spaces.catalogue.load import shipped
    from trainables.benchmarks.slim import power_statement

    if not benchmark.totals.examples:
        return "of a set of your own: as many as its file holds"
    slim = {choice.id: choice.sample for choice in shipped().suites["prismatic-12-slim"]}
    return power_statement(benchmark.totals.examples[0], slim.get(benchmark.id))


@benchmarks.command("check")
def check_benchmarks(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder with one folder per benchmark id.")],
    only: Annotated[list[str] | None, typer.Option("--only", metavar="BENCHMARK", help="Repeatable.")] = None,
    missing: Annotated[
        Path | None,
        typer.Option("--missing", metavar="FOLDER", help="Write lists of all missing images into this folder."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check each benchmark's files: which it wants and which are there, published totals, missing images.

    Exits with 2 unless all of them are complete. Nothing is written but the lists of --missing.
    """
    from trainables.benchmarks.inventory import check_benchmark
    from trainables.benchmarks.registry import BENCHMARKS, find_benchmark

    if not folder.is_dir():
        raise InputError(f"must be a folder, but got {folder}", key="DIR")
    chosen = [find_benchmark(name) for name in only] if only else list(BENCHMARKS.values())
    checks = [check_benchmark(benchmark, folder / (benchmark.folder or benchmark.id)) for benchmark in chosen]
    lists = {check.benchmark: _write_missing(check, missing) for check in checks if missing and check.missing_images}
    if as_json:
        shown = [{**check.to_json(), "missing_list": lists.get(check.benchmark)} for check in checks]
        print_json({"items": shown})
    else:
        for check in checks:
            _show_check(check, lists.get(check.benchmark), console())
    if any(check.state != "complete" for check in checks):
        raise typer.Exit(EXIT_BAD_INPUT)


def _write_missing(check: Checked, folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"missing-images-{check.benchmark}.txt"
    file.write_text("\n".join(check.missing_images) + "\n")
    return str(file)


def _show_check(check: Checked, missing_list: str | None, out: Console) -> None:
    lines = [f"{check.benchmark}: {check.state} ({check.folder})"]
    for file in check.files:
        if file.paths:
            lines.append(f"  {file.role}: {', '.join(file.paths)}\n    sha256 {file.sha256}")
        elif check.state != "complete":
            needed = "wants" if file.required else "may have"
            lines.append(f"  {needed} {file.role}: {' or '.join(file.wanted)}\n    {file.published}")
    if check.problem:
        lines += [f"  {line}" for line in check.problem.splitlines()]
    if check.n:
        published = f" ({' or '.join(f'{size:,}' for size in check.known)} published)" if check.known else ""
        lines.append(f"  {check.n:,} examples{published}, {check.images:,} images")
    if check.best_reachable:
        best = ", ".join(f"{name} {value:.2f}" for name, value in check.best_reachable.items())
        lines.append(f"  best reachable score: {best}")
    if check.missing_images:
        where = missing_list or "--missing FOLDER lists all"
        lines.append(f"  {len(check.missing_images):,} images are missing ({where}), the first of them:")
        lines += [f"    {one_line(image)}" for image in check.missing_images[:_SHOWN_IMAGES]]
    for example in check.examples:
        name = one_line(str(example["id"]))
        lines.append(f"  e.g. {name}: {example['question']!r} -> {_short(example['reference'])}")
    out.print("\n".join(lines))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
