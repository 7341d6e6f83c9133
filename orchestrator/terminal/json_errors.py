"""Write what goes wrong as JSON, for programs that asked a command for `--json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.schema_version import SCHEMA_VERSION
from search_spaces.errors import InputError, InputProblemsError

ErrorKind = Literal["input", "usage", "stopped", "storage", "defect"]
"""What a command ended by: its input, its options, a signal or `ablate stop`, the storage, the program itself."""


@dataclass(frozen=True)
class Ending:
    """How a command ends that could not do its work."""

    kind: ErrorKind
    code: int
    """Exit code."""
    sentence: str
    """What stderr says."""
    error: InputError | None = None
    """What is wrong with the input, where it is that."""


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Return whether the arguments of a command line ask for JSON."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def ending_json(ending: Ending) -> str:
    """Write how a command ended as one JSON object.

    Returns:
        Text of `{"schema_version": ..., "error": {"kind", "exit_code", "message", "problems"}}`. A problem has the
        place in a file, the key there, the rule with the value that breaks it, and the way out, each null where it is
        not known.
    """
    error = {
        "kind": ending.kind,
        "exit_code": ending.code,
        "message": ending.sentence,
        "problems": [] if ending.error is None else [_problem_json(each) for each in _problems(ending.error)],
    }
    return json.dumps({"schema_version": SCHEMA_VERSION, "error": error}, indent=1)


def _problems(error: InputError) -> Sequence[InputError]:
    return error.problems if isinstance(error, InputProblemsError) else (error,)


def _problem_json(problem: InputError) -> dict[str, str | None]:
    return {"place": problem.place, "key": problem.key, "rule": problem.law, "way_out": problem.way_out}
