"""Read a set of a user's own: one file of questions, each record with its line, and every problem at once.

What has one plain meaning is read (a number where text is asked for, options as an object by letters, a list of one
image); what could mean two things is refused, with the line and how to write it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from search_spaces.errors import InputError, Problems
from trainables.benchmarks.contract import Example
from trainables.benchmarks.files.record_fields import Fields
from trainables.benchmarks.files.record_lines import read_record_lines
from trainables.benchmarks.files.reference_files import Document, ReferenceFiles
from trainables.benchmarks.sets.own_fields import options_of, require

_SHOWN = 20
_PICTURES = re.compile("image|img|pic|photo|file|path", re.IGNORECASE)
"""Names of fields that would hold a picture: a record without `image` that has one was not meant to be text alone."""
_PLACEHOLDER = "<image>"

Reference = Callable[[Fields], Any]
"""Reads what the protocols of a family score against. Raises InputError, placed at the record."""


def read_own(files: ReferenceFiles, split: str | None, family: str, reference: Reference) -> list[Example]:
    """Read the examples of a set, in the order of its file.

    Args:
        files: one file of questions, or several of which one is it.
        split: sets of a user's own have none.
        family: the family's name, for errors.
        reference: reads a record's reference.

    Raises:
        InputError: all records that cannot be read, the first twenty by line; ids that are there twice; a split.
    """
    if split is not None:
        raise InputError(
            f"a set of the family {family} has no splits, but got {split!r}",
            key="split",
            way_out='Write `"groups": {"split": ...}` into the records and `select: split=...` into the benchmark.',
        )
    path = files.paths[0] if len(files.paths) == 1 else files.one("questions", _is_questions).path
    problems, examples, lines = Problems(), list[Example](), dict[str, int]()
    left_out = 0
    for line, value in read_record_lines(path):
        try:
            example = _example(Fields(value, f"{path}:{line}"), reference)
            _check_new(example.id, line, lines, path)
        except InputError as error:
            left_out += len(problems) >= _SHOWN
            if len(problems) < _SHOWN:
                problems.add(error)
            continue
        examples.append(example)
    if left_out:
        problems.add(InputError(f"{left_out:,} more records cannot be read", place=str(path)))
    problems.raise_all()
    return examples


def _is_questions(document: Document) -> bool:
    return bool(document.rows) and isinstance(document.rows[0], dict) and {"id", "question"} <= document.rows[0].keys()


def _check_new(number: str, line: int, lines: dict[str, int], path: Path) -> None:
    if lines.setdefault(number, line) != line:
        law = f"every record must have an id of its own, but {number!r} is that of line {lines[number]}, too"
        raise InputError(law, place=f"{path}:{line}", key="id")


def _example(row: Fields, reference: Reference) -> Example:
    require(row, "id")
    require(row, "question")
    image, number = _image(row), row.id("id")
    groups = _groups(row)
    return Example(number, image or number, image, _question(row, image), options_of(row), reference(row), groups)


def _question(row: Fields, image: str | None) -> str:
    question = row.text("question")
    if _PLACEHOLDER in question:
        stripped = question.strip()
        bare = stripped.removeprefix(_PLACEHOLDER) if stripped.startswith(_PLACEHOLDER) else stripped
        bare = bare if bare != stripped else stripped.removesuffix(_PLACEHOLDER)
        if image is None or _PLACEHOLDER in bare:
            law = f"may name the record's one image with {_PLACEHOLDER} at its start or end, but got {question!r}"
            raise InputError(law, place=row.place, key="question")
        question = bare.strip()
    if not question.strip():
        raise InputError("must be a question, but is empty", place=row.place, key="question")
    return question


def _image(row: Fields) -> str | None:
    if "image" not in row:
        pictures = [name for name in row.names if _PICTURES.search(name)]
        if pictures:
            law = f"must name the picture, but the record has {pictures[0]!r} instead"
            raise InputError(law, place=row.place, key="image", way_out="For a question without one: `image: null`.")
        return None
    value = row.plain("image")
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        law = "must be the path of one picture below the images, or null"
        raise InputError(law, place=row.place, key="image", way_out=None if value else "It is empty.")
    return value


def _groups(row: Fields) -> Mapping[str, str]:
    if "groups" not in row or row.plain("groups") is None:
        return {}
    fields = row.record("groups")
    return {kind: _group(fields, kind) for kind in row.mapping("groups")}


def _group(fields: Fields, kind: str) -> str:
    value = fields.plain(kind)
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return fields.id(kind) if is_whole else fields.label(kind)
