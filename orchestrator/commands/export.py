"""`ablate export`: write a trained model in the format of another library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.commands.options import DataOption, JsonOption, StorageOption, console, open_store, print_json
from orchestrator.settings import existing_storage
from search_spaces.errors import InputError, nearest

FORMS = ("hf", "hf-own-code", "hf-language")


def export(
    trial: Annotated[str, typer.Argument(metavar="TRIAL", help="A trial's id, its beginning, or an arm's name.")],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="hf: LLaVA's classes of transformers; hf-own-code: any model, with its model code beside it;"
            " hf-language: the language model alone.",
        ),
    ] = "hf",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The folder to write (default: the trial's id, here).")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of an arm's trials, the one with this seed.")] = None,
    storage: StorageOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a finished trial as a folder that transformers loads, with processor and model card."""
    from orchestrator.state.logs import find_trial, stored_trials
    from trainables.storage import layout
    from trainables.storage.record_files import read
    from trainables.task import TrialTask

    if to not in FORMS:
        raise InputError(f"must be one of {', '.join(FORMS)}, but got {to!r}", key="--to", way_out=nearest(to, FORMS))
    store = open_store(existing_storage(storage))
    stored = find_trial(stored_trials(store), trial, seed)
    task = read(store, layout.trial_task(stored.study, stored.id), TrialTask)
    if task is None:
        raise InputError("a trial must have been run to be exported, but it has no task", key=stored.id)
    moved = {"storage": str(store.root), **({"data": str(data.expanduser().absolute())} if data else {})}
    folder = (output or Path(stored.id)).expanduser().absolute()

    from trainables.export.folder import export_trial

    export_trial(task.model_copy(update=moved), store, to, folder)  # type: ignore[arg-type]  # looked at above
    if as_json:
        print_json({"trial": stored.id, "study": stored.study, "to": to, "folder": str(folder)})
    else:
        console().print(f"{stored.id} is in {folder}", soft_wrap=True)
