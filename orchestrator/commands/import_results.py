"""`ablate import`: bring results per question that other programs made into a folder of items."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchestrator.commands.options import JsonOption, console, print_json
from orchestrator.own_command import own_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from orchestrator.items.import_runs import ImportedRun

HarnessOption = Literal["lmms-eval", "vlmevalkit", "jsonl"]
DEFAULT_FOLDER = Path("items")


def import_results(
    files: Annotated[list[Path], typer.Argument(metavar="FILES", help="Files of one run, or folders of them.")],
    *,
    kind: Annotated[
        HarnessOption,
        typer.Option("--from", help="lmms-eval's --log_samples, VLMEvalKit's files after scoring, or id and score."),
    ],
    arm: Annotated[str, typer.Option("--arm", metavar="NAME", help="What the model is called in hypotheses.")],
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the run: runs of one arm are its replicates.")],
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", metavar="NAME", help="Where the file does not say which.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="FIELD", help="Field with the score, where it is open which.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", metavar="FIELD", help="Field that names the image of a question.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Folder of items.", show_default=True)
    ] = DEFAULT_FOLDER,
    force: Annotated[bool, typer.Option("--force", help="Write over a file with other rows.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Import scores per question from another evaluation harness, for `verdicts --items`."""
    from orchestrator.items.harnesses.contract import Choices
    from orchestrator.items.harnesses.registry import HARNESSES
    from orchestrator.items.import_runs import import_runs

    choices = Choices(benchmark, metric, cluster)
    imported = import_runs(files, HARNESSES[kind], arm, seed, choices, out, force=force)
    if as_json:
        print_json({"arm": arm, "seed": seed, "folder": str(out), "runs": [_run_json(run) for run in imported]})
    else:
        _show(arm, seed, out, imported, console())


def _run_json(imported: ImportedRun) -> dict[str, object]:
    return {
        "benchmark": imported.run.benchmark,
        "n": len(imported.run.questions),
        "points": imported.points,
        "metric": imported.run.metric,
        "cluster": imported.run.cluster,
        "n_images": imported.n_images,
        "source": str(imported.run.source),
        "file": str(imported.file),
        "was_there": imported.was_there,
    }


def _short(metrics: str) -> str:
    """Name the first metric, and count those that say the same or stand for it on other questions."""
    first, *others = metrics.split(", ")
    return f"{first} and {len(others)} more" if others else first


def _show(arm: str, seed: int, out: Path, imported: Sequence[ImportedRun], console: Console) -> None:
    from rich.text import Text

    from orchestrator.terminal.tables import table

    rows = [
        (
            item.run.benchmark,
            f"{len(item.run.questions):,}",
            "not named" if item.n_images is None else f"{item.n_images:,}",
            f"{item.points:.2f}",
            _short(item.run.metric),
            f"{item.file.name}{' (was there)' if item.was_there else ''}",
        )
        for item in imported
    ]
    columns = ("benchmark", "questions", "images", "points", "metric", f"file in {out}")
    console.print(table(f"{arm}, seed {seed}", columns, rows, right=(1, 2, 3), total=len(rows)))
    unnamed = [item.run.benchmark for item in imported if item.n_images is None]
    if unnamed:
        text = f"The images of {', '.join(unnamed)} are not named: every question counts as its own."
        console.print(Text(f"{text} Where questions share images, `--cluster FIELD` names them.", style="dim"))
    following = own_command("verdicts", "--items", str(out), "--hypotheses", "claims.yaml")
    console.print(Text(f"Next: {following}", style="dim"), soft_wrap=True)
