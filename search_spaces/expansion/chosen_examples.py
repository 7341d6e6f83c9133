"""Read the ids of the examples that a study scores of a benchmark, from the file that its `only` names."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from search_spaces.identity import fingerprint
from search_spaces.regular_files import read_regular
from search_spaces.spec import ChosenExamples
from search_spaces.study import Study
from search_spaces.yaml_source import KeyPath

_LEAST = 2
"""Of one example no error of a mean can be estimated."""
_SHOWN = 5
"""Ids in a message."""


def read_chosen(study: Study, name: str, path: KeyPath) -> ChosenExamples:
    """Read the ids that a study names.

    Args:
        study: what a user wrote.
        name: of the file, relative to the folder of the file in which it is written; what the command line names is
            relative to the current folder.
        path: where it is written in the study.

    Raises:
        InputError: the file cannot be read, has other values than texts, an id twice, or fewer than two.
    """
    written = study.document.origin(path) or ""
    beside = Path() if written.startswith("--set ") else Path(written.rpartition(":")[0]).parent
    file = beside / Path(name).expanduser()
    try:
        values = _values(read_regular(file).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        law = f"must be a file of ids, a JSON list of texts or one id a line, but {file}: {reason}"
        raise study.problem(path, law) from error
    wrong = [value for value in values if not isinstance(value, str) or not value]
    if wrong:
        law = f"{file} must hold ids as texts, but {len(wrong):,} of {len(values):,} are not: {_shown(wrong)}"
        raise study.problem(path, law, 'A JSON list has them in quotes: ["1", "2"].')
    twice = [value for value, times in Counter(values).items() if times > 1]
    if twice:
        raise study.problem(path, f"{file} must hold every id once, but {len(twice):,} are repeated: {_shown(twice)}")
    if len(values) < _LEAST:
        raise study.problem(path, f"{file} must hold at least {_LEAST} ids, but it has {len(values)}")
    return chosen(values)


def chosen(ids: list[str]) -> ChosenExamples:
    """Make the choice of examples with these ids; their order means nothing."""
    return ChosenExamples(digest=fingerprint(sorted(ids)), ids=tuple(sorted(ids)))


def _values(text: str) -> list[Any]:
    """Read a JSON list, or lines. Raises ValueError for JSON that is none."""
    if not text.lstrip().startswith("["):
        return [line.strip() for line in text.splitlines() if line.strip()]
    return list(json.loads(text))


def _shown(values: list[Any]) -> str:
    return ", ".join(json.dumps(value) for value in values[:_SHOWN]) + (", ..." if len(values) > _SHOWN else "")
