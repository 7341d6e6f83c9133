"""Read the JSON files of DeepSpeed settings that a study names, so that what they hold goes where the study goes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from search_spaces.errors import InputError, Problems
from search_spaces.regular_files import read_regular
from search_spaces.yaml_source import Document, KeyPath, key_text, value_at

_FIELD = "deepspeed"


def with_settings(document: Document) -> Document:
    """Replace every name of a file of DeepSpeed settings by what the file holds.

    A relative name is looked for beside the study file that has it, be it the study or one that it extends; a name of
    the command line in the working directory.

    Raises:
        InputError: all files that cannot be read or hold no JSON object.
    """
    problems, value = Problems(), document.value
    for path in list(_named(value)):
        with problems.collected():
            value = _replaced(value, path, _settings(document, path))
    problems.raise_all()
    return Document(value, document.origins, document.texts)


def _named(study: Any) -> Iterator[KeyPath]:
    """List where a study, or an arm of it, names a file of settings."""
    if not isinstance(study, dict):
        return
    arms = study.get("arms")
    for name, arm in (arms if isinstance(arms, dict) else {}).items():
        yield from (("arms", name, *path) for path in _named(arm))
    resources = study.get("resources")
    if not isinstance(resources, dict):
        return
    if isinstance(resources.get(_FIELD), str):
        yield "resources", _FIELD
    stages = resources.get("stages")
    for stage, fields in (stages if isinstance(stages, dict) else {}).items():
        if isinstance(fields, dict) and isinstance(fields.get(_FIELD), str):
            yield "resources", "stages", stage, _FIELD


def _settings(document: Document, path: KeyPath) -> dict[str, Any]:
    """Read the settings of the file that is named at a key path. Raises InputError."""
    name = value_at(document.value, path)
    origin = document.origin(path) or ""
    file = Path("" if origin.startswith("--set ") else origin.rpartition(":")[0]).parent / Path(name).expanduser()
    try:
        settings = json.loads(read_regular(file))
    except (OSError, ValueError, RecursionError) as error:
        law = f"deepspeed must be settings or the path of a JSON file that holds them, but {file}: {error}"
        raise InputError(law, place=document.origin(path), key=key_text(path)) from error
    if not isinstance(settings, dict):
        raise InputError(f"{file} must hold a JSON object", place=document.origin(path), key=key_text(path))
    return settings


def _replaced(value: Any, path: KeyPath, new: Any) -> Any:
    """Copy a tree of mappings with another value at a key path."""
    if not path:
        return new
    return {**value, path[0]: _replaced(value[path[0]], path[1:], new)}
