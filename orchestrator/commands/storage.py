"""Commands that keep a storage in order."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from orchestrator.commands.options import JsonOption, StorageOption, console, open_store, print_json
from orchestrator.commands.studies import stored_study
from orchestrator.exit_codes import EXIT_STOPPED, EXIT_TRIAL_FAILED
from orchestrator.settings import existing_storage
from search_spaces.errors import InputError, nearest
from search_spaces.quantities import bytes_text, number_of

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.storage.collect import Freed
    from orchestrator.storage.freeable import Freeable
    from orchestrator.storage.unneeded import Redoable
    from orchestrator.storage.verify import Finding, Verification
    from trainables.storage.inventory import Inventory


def gc(
    storage: StorageOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be freed, and ask nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Free it without asking.")] = False,
    gone: Annotated[
        bool,
        typer.Option("--gone", help="Also what arms that were removed from their study file have made."),
    ] = False,
    redoable: Annotated[
        str | None,
        typer.Option(
            "--redoable", metavar="KINDS", help="Also what no unfinished trial reads: features, data, or both."
        ),
    ] = None,
    superseded_days: Annotated[
        float | None,
        typer.Option("--superseded", min=0, metavar="DAYS", help="Also trials set aside so long ago (data changed)."),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="STUDY", help="Remove nothing but leftovers of this study; repeatable."),
    ] = None,
    grace_minutes: Annotated[
        float, typer.Option("--grace", min=0, metavar="MINUTES", help="Leave alone what was written so recently.")
    ] = 60,
    as_json: JsonOption = False,
) -> None:
    """Free what no study of a storage needs: first show what and how much, then ask. Safe beside running studies."""
    from orchestrator.storage.collect import Selection, find_freeable, free
    from trainables.storage import layout

    store = open_store(existing_storage(storage))
    _check_studies(keep or (), store.folders(layout.STUDIES), "--keep")
    selection = Selection(
        gone=gone,
        redoable=_redoable(redoable),
        superseded_after_s=None if superseded_days is None else superseded_days * 86400,
        keep=tuple(keep or ()),
        grace_s=grace_minutes * 60,
    )
    inventory, items = find_freeable(store, store.root, selection)
    out = console(stderr=as_json)
    if not as_json:
        _show(inventory, items, out)
    freed: list[Freed] = []
    if items and not dry_run and (yes or _agreed(items, as_json)):
        freed = list(free(items, store, selection.grace_s, lambda: find_freeable(store, store.root, selection)[1]))
    if as_json:
        print_json(_as_json(store.place("."), inventory, items, freed))
    elif freed:
        _say(freed, out)
    elif items:
        out.print("Nothing was removed." if dry_run or can_ask() else "Nothing was removed: --yes frees it.")
    if any(each.kept is not None for each in freed):
        raise typer.Exit(EXIT_STOPPED)


def verify(
    study: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="A study of the storage, or its file; else all of it.")
    ] = None,
    storage: StorageOption = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Read records, sizes, headers and footers only, not every byte.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Read everything of a storage, or of one study, and say what is whole, damaged, missing or not known.

    The exit code is 1 if anything is damaged or missing.
    """
    from orchestrator.storage.verify import jobs_of
    from orchestrator.storage.verify import verify as verify_jobs
    from orchestrator.terminal.storage import reading, verification_view
    from trainables.storage import layout

    store = open_store(existing_storage(storage))
    name = None if study is None else stored_study(store, study)
    _check_studies([name] if name else (), store.folders(layout.STUDIES), "STUDY")
    inventory, references, jobs = jobs_of(store, name)
    out = console(stderr=as_json)
    with reading(jobs, console(stderr=True)) as told:
        shown = verify_jobs(store, inventory, references, jobs, "shape" if quick else "content", told)
    if as_json:
        print_json(_verification_json(store.place("."), shown, quick))
    else:
        out.print(verification_view(shown, quick), soft_wrap=True)
    if shown.damaged or shown.missing:
        raise typer.Exit(EXIT_TRIAL_FAILED)


def _verification_json(place: str, shown: Verification, quick: bool) -> dict[str, Any]:
    def findings(found: tuple[Finding, ...]) -> list[dict[str, Any]]:
        return [{**asdict(each), "way_out": each.way_out} for each in found]

    return {
        "storage": place,
        "depth": "shape" if quick else "content",
        "whole": shown.whole,
        "damaged": findings(shown.damaged),
        "missing": findings(shown.missing),
        "unrecorded": list(shown.unrecorded),
        "unknown": list(shown.inventory.unknown),
        "unreadable": list(shown.inventory.unreadable),
    }


def _redoable(text: str | None) -> tuple[Redoable, ...]:
    from orchestrator.storage.unneeded import Redoable

    legal = get_args(Redoable)
    names = [] if text is None else [name.strip() for name in text.split(",")]
    for name in names:
        if name not in legal:
            law = f"must be some of {', '.join(legal)}, with commas between, but got {name!r}"
            raise InputError(law, key="--redoable", way_out=nearest(name, legal))
    return tuple(kind for kind in legal if kind in names)


def _check_studies(names: list[str] | tuple[()], legal: tuple[str, ...], key: str) -> None:
    for name in names:
        if name not in legal:
            law = f"must be a study of this storage, but got {name!r}"
            raise InputError(law, key=key, way_out=nearest(name, legal))


def _show(inventory: Inventory, items: list[Freeable], out: Console) -> None:
    from orchestrator.terminal.storage import freeable_view, inventory_view

    out.print(inventory_view(inventory))
    out.print()
    if items:
        out.print(freeable_view(items))
    else:
        out.print("Nothing can be freed.")


def can_ask() -> bool:
    """Check whether somebody sits at the terminal."""
    return sys.stdin.isatty()


def _agreed(items: list[Freeable], as_json: bool) -> bool:
    """Ask whether to free what was shown; no where nobody can be asked."""
    if as_json or not can_ask():
        return False
    return typer.confirm(f"Free {bytes_text(sum(item.size_bytes for item in items))}?")


def _say(freed: list[Freed], out: Console) -> None:
    done = [each.item for each in freed if each.kept is None]
    out.print(f"Freed {bytes_text(sum(item.size_bytes for item in done))} in {number_of(len(done), 'place')}.")
    for each in freed:
        if each.kept is not None:
            out.print(f"kept {each.item.name}: {each.kept}", soft_wrap=True)


def _as_json(place: str, inventory: Inventory, items: list[Freeable], freed: list[Freed]) -> dict[str, Any]:
    return {
        "storage": place,
        "classes": {kind: asdict(amount) for kind, amount in inventory.amounts.items()},
        "unknown": list(inventory.unknown),
        "unreadable": list(inventory.unreadable),
        "freeable": [asdict(item) for item in items],
        "freeable_bytes": sum(item.size_bytes for item in items),
        "freed": [each.item.name for each in freed if each.kept is None],
        "freed_bytes": sum(each.item.size_bytes for each in freed if each.kept is None),
        "kept": {each.item.name: each.kept for each in freed if each.kept is not None},
    }
