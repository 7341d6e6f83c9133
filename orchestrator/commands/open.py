"""`ablate open`: MLflow on what a storage has recorded, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.options import (
    JsonOption,
    OptionalStudyArgument,
    StorageOption,
    ToyOption,
    TrackingOption,
    console,
    open_store,
    print_json,
)
from orchestrator.commands.studies import stored_study
from orchestrator.settings import existing_storage
from orchestrator.terminal.browser import open_in_browser
from orchestrator.terminal.stops import StoppedError
from search_spaces.credentials import without_credentials
from search_spaces.errors import InputError
from trainables.storage import layout

if TYPE_CHECKING:
    from orchestrator.tracking.mlflow_tracker import MlflowTracker


def open_mlflow(
    study: OptionalStudyArgument = None,
    storage: StorageOption = None,
    toy: ToyOption = False,
    tracking_uri: TrackingOption = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="To listen on (default: 5000, or a free one).")
    ] = None,
    browser: Annotated[
        bool,
        typer.Option("--browser/--no-browser", help="Open the link, where there is a browser; it is printed, too."),
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Start MLflow on the storage's database, open the link to a study when it answers, and end it with Ctrl-C.

    Where a tracking server is given, nothing is started: its link is opened. Nothing is written.
    """
    from orchestrator.tracking.local_server import local_server
    from orchestrator.tracking.mlflow_connect import open_tracker

    if len(study or ()) > 1:
        raise InputError("one study at most may be given", key="STUDY")
    root, out = existing_storage(storage), console()
    name = stored_study(open_store(root), study[0], toy=toy) if study else None
    if tracking_uri is not None:
        tracker = open_tracker(tracking_uri, root)
        link = _page(tracker, name, without_credentials(tracking_uri))
        if as_json:
            _print_link(name, link, ends=True)
        else:
            out.print(f"MLflow: {link}", soft_wrap=True)
        if browser:
            open_in_browser(link)
        return
    _require_database(root)
    tracker = open_tracker(None, root)
    _page(tracker, name, "")  # what was not recorded is said at once
    try:
        with local_server(tracker.uri, port) as server:
            link = _page(tracker, name, server.address)
            if as_json:
                _print_link(name, link, ends=False)
            else:
                out.print(f"MLflow: {link}\nCtrl-C ends it.", soft_wrap=True)
            if browser:
                open_in_browser(link)
            code = server.wait()
    except StoppedError as stopped:
        if stopped.number != signal.SIGINT:
            raise
        return
    raise InputError(f"MLflow must go on, but it ended with exit code {code}", place=server.address)


def _print_link(study: str | None, link: str, *, ends: bool) -> None:
    """Print the link for a program, at once: the command may go on for as long as the page is to be seen."""
    print_json({"study": study, "link": link, "ends": ends})
    sys.stdout.flush()


def _page(tracker: MlflowTracker, study: str | None, address: str) -> str:
    """Return the page to open: of the study, where one is given."""
    if study is None:
        return address
    page = tracker.page_of(study, address)
    if page is None:
        law = f"a study must have been recorded before its page can be opened, but {study!r} was not"
        raise InputError(law, place=address, way_out="`ablate run` records a study, `ablate sync` what storage holds.")
    return page


def _require_database(root: Path) -> None:
    if not (root / layout.TRACKING_DATABASE).is_file():
        law = "a run must have recorded something in the storage's database, but there is none"
        way_out = "Name a server with --tracking-uri; or `ablate sync STUDY` records what storage holds."
        raise InputError(law, place=str(root / layout.TRACKING_DATABASE), way_out=way_out)
