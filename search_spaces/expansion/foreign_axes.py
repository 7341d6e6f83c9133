"""Refuse axes in the form of another tool's search space, or nested ones, and show how they are written here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search_spaces.errors import InputError
from search_spaces.expansion.study_reader import NEVER_AXES, StudyReader
from search_spaces.flow_text import flow_text
from search_spaces.named_spaces import SPACES, named_spaces
from search_spaces.other_tools import ForeignSpace, foreign_space, word_of
from search_spaces.yaml_source import KeyPath


def foreign_axis(reader: StudyReader, name: str, written: Any) -> InputError | None:
    """Make the error for an axis that is not in this program's form; None for one that may be.

    Args:
        reader: of the study that has the axis.
        name: of the axis.
        written: what the study has below it.
    """
    path: KeyPath = ("axes", name)
    if name.partition(".")[0] in NEVER_AXES:
        return None  # no form of it is one
    document = reader.study.document
    got = flow_text(written, document, path)
    if isinstance(written, Mapping):
        entries = list(_nested_entries(reader, name.removeprefix("base").removeprefix("."), written, path) or ())
        if entries:
            law = f"an axis has the dotted path of its field for a name, but got {got} below {name!r}"
            return reader.study.problem(path, law, _write(entries))
        if word_of(name) in SPACES and not reader.is_field(name):
            found = [(_field_of(reader, key), _listed(space)) for key, space in named_spaces(written, document, path)]
            if found:
                law = f"axes stand below `axes` themselves, but got {got} below {name!r}"
                return reader.study.problem(path, law, _write(found))
    space = _space(reader, name, written, path)
    if space is None:
        return None
    way_out = _write([(_field_of(reader, name), _listed(space))]) if space.texts else "List the values themselves."
    is_scalar = not isinstance(written, Mapping | list)
    if isinstance(written, Mapping) and len(written) == len(space.texts) == 2 and _are_numbers(written):
        way_out += f" If {' and '.join(written)} are labels of two values, call them otherwise."
    return reader.study.problem(path, space.law(got, is_scalar=is_scalar), way_out)


def _are_numbers(written: Mapping[str, Any]) -> bool:
    return all(isinstance(child, int | float) for child in written.values())


def _space(reader: StudyReader, name: str, written: Any, path: KeyPath) -> ForeignSpace | None:
    if written is None:
        return None
    if isinstance(written, Mapping) and written and all(child is None for child in written.values()):
        return ForeignSpace(tuple(map(str, written)), is_range=False)  # `{4, 1}`, a set in Python
    if isinstance(written, bool | int | float):
        return ForeignSpace((flow_text(written, reader.study.document, path),), is_range=False)
    return foreign_space(written, reader.study.document, path)


def _nested_entries(
    reader: StudyReader, prefix: str, written: Mapping[str, Any], path: KeyPath
) -> list[tuple[str, str]] | None:
    """List the axes below a part of the base as entries with dotted paths; None where a key is no field of it."""
    entries: list[tuple[str, str]] = []
    for key, child in written.items():
        dotted, inner = f"{prefix}.{key}" if prefix else str(key), (*path, key)
        is_part = reader.is_branch(dotted) and isinstance(child, Mapping)
        below = _nested_entries(reader, dotted, child, inner) if is_part else None
        if below:
            entries += below
        elif reader.kind_of(dotted) is not None:
            entries.append((dotted, _values(reader, dotted, child, inner)))
        else:
            return None
    return entries


def _values(reader: StudyReader, dotted: str, child: Any, path: KeyPath) -> str:
    """Write what stands for the values of a nested axis as a list, or as the map that it is."""
    space = _space(reader, dotted, child, path)
    if space is not None and space.texts:
        return _listed(space)
    text = flow_text(child, reader.study.document, path)
    is_list = isinstance(child, list) and not reader.is_legal(dotted, child, path)
    return text if is_list or isinstance(child, Mapping) else f"[{text}]"


def _field_of(reader: StudyReader, name: str) -> str:
    """Name the field that another tool's name of a parameter stands for, where there is one; else the name itself."""
    if reader.is_field(name):
        return name
    near = reader.near_fields(name)
    return near[0] if near else name


def _listed(space: ForeignSpace) -> str:
    return f"[{', '.join(space.texts)}]"


def _write(entries: list[tuple[str, str]]) -> str:
    return f"Write {' and '.join(f'`{name}: {values}`' for name, values in entries)}."
