"""Options that every command with `--json` has: `--brief` and `--select`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from orchestrator.json_bounds import MOST_CHARACTERS, MOST_ITEMS, Bounds, bounds
from search_spaces.errors import InputError

BriefOption = Annotated[
    bool,
    typer.Option(
        "--brief",
        help=f"Of --json: lists of {MOST_ITEMS} items and texts of {MOST_CHARACTERS} characters at most; `left_out`"
        " counts the other items.",
    ),
]
SelectOption = Annotated[
    list[str] | None,
    typer.Option("--select", metavar="FIELD", help="Of --json: these fields alone, as in verdicts.id; repeatable."),
]


def takes_bounds(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that has `--json` the options that bound what it prints; return any other as it is."""
    parameters = inspect.signature(command).parameters
    if "as_json" not in parameters:
        return command
    hints = get_type_hints(command, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    taken = [each.replace(annotation=hints[each.name], kind=keyword) for each in parameters.values()]
    taken.append(inspect.Parameter("brief", keyword, default=False, annotation=BriefOption))
    taken.append(inspect.Parameter("select", keyword, default=None, annotation=SelectOption))

    @wraps(command)
    def bounded(*, brief: bool, select: list[str] | None, **values: Any) -> Any:
        paths = tuple(tuple(path.split(".")) for field in select or () for path in field.split(","))
        if (brief or paths) and not values["as_json"]:
            raise InputError("must come with --json", key="--select" if paths else "--brief")
        if not all(map(all, paths)):
            raise InputError(f"must be keys with a point between them, but got {select}", key="--select")
        with bounds(Bounds(paths, brief)):
            return command(**values)

    bounded.__signature__ = inspect.Signature(taken)  # type: ignore[attr-defined]
    bounded.__annotations__ = {each.name: each.annotation for each in taken}
    return bounded
