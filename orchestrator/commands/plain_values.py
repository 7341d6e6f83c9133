"""Refuse values of options that no command can mean: numbers beyond 64 bits, infinite times, paths that are empty."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from search_spaces.errors import InputError

_PATHS = frozenset(
    (
        *("--storage", "--data", "--images", "--out", "--per-example", "--references", "--predictions", "--hypotheses"),
        *("--scores", "--items", "--pool", "--train", "--test"),
    )
)
"""Options that name a file or a folder: an empty one is the current folder to Python, and nothing to its author."""
_MAY_BE_INFINITE = frozenset(("features_budget", "timeout", "grace", "superseded"))
_LARGEST = 2**63


def refuse_empty_paths(arguments: Sequence[str]) -> None:
    """Raise InputError for a path that is given and empty, as `--storage "$UNSET"` is."""
    for number, argument in enumerate(arguments):
        if argument == "--":
            return
        name, equals, value = argument.partition("=")
        given = value if equals else (arguments[number + 1] if number + 1 < len(arguments) else "?")
        if name in _PATHS and not given:
            raise InputError("must not be empty", key=name, way_out="Is a variable in it unset?")


def with_plain_numbers(command: Callable[..., Any]) -> Callable[..., Any]:
    """Have a command refuse whole numbers of more than 64 bits, and infinite numbers where they mean nothing."""

    @wraps(command)
    def checked(**values: Any) -> Any:
        for name, value in values.items():
            option = f"--{name.replace('_', '-')}"
            if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
                raise InputError("must be a whole number of 64 bits", key=option)
            if isinstance(value, float) and not math.isfinite(value) and name not in _MAY_BE_INFINITE:
                raise InputError(f"must be a finite number, but got {value:g}", key=option)
        return command(**values)

    return checked
