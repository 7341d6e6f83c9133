"""`ablate ls` and `ablate show`: everything that a study can name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.options import JsonOption, StorageOption, console, open_store, print_json
from orchestrator.settings import chosen_root
from search_spaces.errors import InputError, nearest

if TYPE_CHECKING:
    from orchestrator.planning.named_kinds import Kind

KindArgument = Annotated[str, typer.Argument(metavar="KIND", help="studies, backbones, languages, ...: `ablate ls`.")]


def ls(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="Without one, the kinds that there are are listed.")
    ] = None,
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the names of a kind that a study can use: studies, backbones, languages, mixes, recipes, benchmarks, ..."""
    from orchestrator.planning.named_kinds import KINDS, kinds_with_counts, names_of

    store = open_store(chosen_root(storage))
    if kind is None:
        kinds = list(kinds_with_counts(store))
        if as_json:
            print_json({"kinds": [{"kind": name, "names": count, "written": about} for name, count, about in kinds]})
        else:
            _print_rows([(name, f"{count:>4}  {about}") for name, count, about in kinds])
        return
    chosen = _known(kind)
    names = names_of(chosen, store)
    if as_json:
        print_json({"kind": chosen, "names": [{"name": name, "about": about} for name, about in names.items()]})
        return
    console().print(f"{chosen}: written as {KINDS[chosen].about}", style="dim")
    _print_rows(list(names.items()))


def show(
    kind: KindArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of `ablate ls KIND`.")],
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything that is known of a name, as a study file would have it."""
    from orchestrator.planning.named_kinds import details_of

    details = {name: details_of(_known(kind), name, open_store(chosen_root(storage)))}
    if as_json:
        print_json(details)
        return
    import yaml

    print(yaml.safe_dump(details, sort_keys=False, allow_unicode=True, width=100), end="")


def _known(kind: str) -> Kind:
    from orchestrator.planning.named_kinds import KINDS

    for known in KINDS:
        if known == kind:
            return known
    law = f"must be one of {', '.join(KINDS)}, but got {kind!r}"
    raise InputError(law, key="KIND", way_out=nearest(kind, KINDS))


def _print_rows(rows: list[tuple[str, str]]) -> None:
    width = max((len(name) for name, _ in rows), default=0)
    for name, about in rows:
        console().print(f"{name:{width}}  {about}", soft_wrap=True)
