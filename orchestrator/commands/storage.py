"""Commands that keep a storage in order."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from orchestrator.commands.options import JsonOption, StorageOption, console, open_store, print_json
from orchestrator.exit_codes import EXIT_STOPPED
from orchestrator.settings import existing_storage
from search_spaces.errors import InputError, nearest
from search_spaces.quantities import bytes_text, number_of

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.storage.collect import Freed
    from orchestrator.storage.freeable import Freeable
    from orchestrator.storage.unneeded import Redoable
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
    _check_studies(keep or (), store.folders(layout.STUDIES))
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


def _redoable(text: str | None) -> tuple[Redoable, ...]:
    from orchestrator.storage.unneeded import Redoable

    legal = get_args(Redoable)
    names = [] if text is None else [name.strip() for name in text.split(",")]
    for name in names:
        if name not in legal:
            law = f"must be some of {', '.join(legal)}, with commas between, but got {name!r}"
            raise InputError(law, key="--redoable", way_out=nearest(name, legal))
    return tuple(kind for kind in legal if kind in names)


def _check_studies(names: list[str] | tuple[()], legal: tuple[str, ...]) -> None:
    for name in names:
        if name not in legal:
            law = f"must be a study of this storage, but got {name!r}"
            raise InputError(law, key="--keep", way_out=nearest(name, legal))


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
