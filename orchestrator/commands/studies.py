"""Commands about the studies that a storage holds, and the runs that go on there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.options import (
    JsonOption,
    StorageOption,
    ToyOption,
    console,
    open_store,
    print_json,
)
from orchestrator.exit_codes import EXIT_DONE, EXIT_STOPPED
from orchestrator.settings import existing_storage
from search_spaces.errors import InputError, nearest

if TYPE_CHECKING:
    from orchestrator.state.runs import LivingRun
    from trainables.storage.store import Store

WITHIN_S = 60.0
"""Seconds that running trials have to reach a checkpoint, unless --within or --now says otherwise."""
_LOOK_EVERY_S = 0.5


def studies(storage: StorageOption = None, as_json: JsonOption = False) -> None:
    """List the studies that a storage holds: how far they are, who runs them, when they last ran, what they take."""
    from orchestrator.storage.studies import overview, overview_json
    from orchestrator.terminal.studies import overview_view

    shown = overview(open_store(existing_storage(storage)))
    if as_json:
        print_json(overview_json(shown))
    else:
        console().print(overview_view(shown))


def stop(
    study: Annotated[
        str,
        typer.Argument(metavar="STUDY", help="A study file, a shipped study, or any name that `ablate studies` lists."),
    ],
    storage: StorageOption = None,
    toy: ToyOption = False,
    now: Annotated[bool, typer.Option("--now", help="Give running trials no time to reach a checkpoint.")] = False,
    within: Annotated[
        float,
        typer.Option("--within", min=0, metavar="SECONDS", help="How long they may go on to reach one."),
    ] = WITHIN_S,
    wait: Annotated[bool, typer.Option("--wait", help="Return when the runs are gone.")] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, metavar="SECONDS", help="Of --wait: how long at most; then exit 3.")
    ] = 600.0,
    as_json: JsonOption = False,
) -> None:
    """End every run of a study, from any machine that sees the storage. The same `ablate run` goes on later."""
    from orchestrator.state.runs import ask_to_stop, living_runs

    store = open_store(existing_storage(storage))
    name = stored_study(store, study, toy=toy)
    runs = living_runs(store, name)
    for run in runs:
        ask_to_stop(store, run, within_s=0.0 if now else within)
    out = console(stderr=as_json)
    if not runs:
        out.print(f"{name}: no run goes on")
    for run in runs:
        out.print(f"{name}: asked to stop the run of {run.sentence}", soft_wrap=True)
    left = _wait_for(store, name, runs, timeout) if wait else []
    for run in left:
        out.print(f"{name}: after {timeout:g} s the run on {run.place} still goes on", soft_wrap=True)
    if as_json:
        asked = [{"nonce": run.record.nonce, "host": run.owner.host, "pid": run.owner.pid} for run in runs]
        gone = {run.record.nonce for run in runs} - {run.record.nonce for run in left} if wait else set()
        print_json({"study": name, "runs": [{**each, "gone": each["nonce"] in gone} for each in asked]})
    raise typer.Exit(EXIT_STOPPED if left else EXIT_DONE)


def _wait_for(store: Store, study: str, runs: Sequence[LivingRun], timeout_s: float) -> list[LivingRun]:
    """Wait until runs are gone. Returns those that are not when the time is over."""
    from orchestrator.state.runs import living_runs

    asked, ends = {run.record.nonce for run in runs}, time.monotonic() + timeout_s
    while True:
        left = [run for run in living_runs(store, study) if run.record.nonce in asked]
        if not left or time.monotonic() >= ends:
            return left
        time.sleep(_LOOK_EVERY_S)


def stored_study(store: Store, name: str, *, toy: bool = False) -> str:
    """Find the name under which storage holds a study, given its file, its name, or the name of a shipped study.

    Args:
        store: the storage.
        name: as the command line has it.
        toy: whether its toy form is meant.

    Raises:
        InputError: if it is neither.
    """
    from search_spaces.expansion.expand import stored_name
    from search_spaces.study_files import load_study
    from trainables.storage import layout

    studies = store.folders(layout.STUDIES)
    if name in studies and not toy:
        return name
    try:
        return stored_name(load_study(name), toy=toy)
    except InputError as error:
        way_out = nearest(name, studies) or error.way_out
        raise InputError(error.law, place=error.place, key=error.key, way_out=way_out) from error
