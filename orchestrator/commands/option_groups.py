"""Declare groups of options: a dataclass whose fields are options stands for all of them in a command's signature.

@dataclass(frozen=True, kw_only=True)
class SelectionOptions:
    limit: Annotated[int | None, typer.Option("--limit")] = None
    toy: Annotated[bool, typer.Option("--toy")] = False

@takes_groups
def status(study: StudyArgument, *, selection: SelectionOptions) -> None: ...     # has --limit and --toy
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import wraps
from typing import Any, get_type_hints

from typer.models import OptionInfo


def takes_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Replace every parameter of `command` that is annotated with a dataclass by the fields of that dataclass.

    Typer reads the signature of the function that is returned; each call builds the dataclasses again.

    Raises:
        TypeError: if a field of a group has the name of another parameter.
    """
    groups: dict[str, type[Any]] = {}
    flat: dict[str, inspect.Parameter] = {}
    for parameter in _parameters(command):
        annotation = parameter.annotation
        members = [parameter]
        if isinstance(annotation, type) and is_dataclass(annotation):
            groups[parameter.name] = annotation
            members = _parameters(annotation)
        for member in members:
            if member.name in flat:
                raise TypeError(f"{command.__name__} must have every option once, but has {member.name!r} twice")
            flat[member.name] = member.replace(kind=inspect.Parameter.KEYWORD_ONLY)

    @wraps(command)
    def with_groups(**values: Any) -> None:
        built = {name: group(**{key: values.pop(key) for key in _names(group)}) for name, group in groups.items()}
        command(**values, **built)

    with_groups.__signature__ = inspect.Signature(list(flat.values()))  # type: ignore[attr-defined]
    with_groups.__annotations__ = {name: parameter.annotation for name, parameter in flat.items()}
    return with_groups


def flags_of(group: Any) -> list[str]:
    """Write a group of options back to the flags that give it; what is as by default is left out.

    Args:
        group: whose fields are options of one flag each.
    """
    flags: list[str] = []
    for parameter in _parameters(type(group)):
        value = getattr(group, parameter.name)
        if value == parameter.default:
            continue
        (option,) = (each for each in parameter.annotation.__metadata__ if isinstance(each, OptionInfo))
        declared = (option.default, *(option.param_decls or ()))  # in Annotated the first name is no default
        name = next(each for each in declared if isinstance(each, str) and each.startswith("--"))
        if isinstance(value, bool):
            yes, _, no = name.partition("/")  # of an option that has a name for each
            flags.append(yes if value else no)
        else:
            flags += [part for each in (value if isinstance(value, list) else [value]) for part in (name, str(each))]
    return flags


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """List the parameters of a function or of a dataclass's constructor, with their annotations evaluated."""
    hints = get_type_hints(function, include_extras=True)
    return [
        parameter.replace(annotation=hints[parameter.name])
        for parameter in inspect.signature(function).parameters.values()
    ]


def _names(group: type[Any]) -> list[str]:
    return list(inspect.signature(group).parameters)
