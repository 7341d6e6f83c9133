"""What a reader of a harness's files owes: the scores of one run, question by question, and where each was read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from search_spaces.errors import InputError
from trainables.benchmarks.answers.fields import name_text

IMAGE_FIELDS = ("image_id", "image_path", "img_path", "image_name", "image_file", "file_name", "filename", "image")
"""Fields that name an image, the surest first."""
_WORDS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class Choices:
    """What a person says about files, where they do not say it themselves."""

    benchmark: str | None = None
    metric: str | None = None
    """Field that holds the score."""
    cluster: str | None = None
    """Field that names a question's image."""


class ScoredQuestion(NamedTuple):
    """A question with the score of its answer."""

    place: str
    id: str
    score: float
    cluster: str | None
    prediction: str | None
    reference: str | None


@dataclass(frozen=True)
class Run:
    """What one model scored on one benchmark."""

    benchmark: str
    source: Path
    metric: str
    """Field that the scores were read from."""
    cluster: str | None
    """Field that the images were read from."""
    questions: Sequence[ScoredQuestion]


@dataclass(frozen=True)
class Harness:
    """A harness: its name, how its files are called, and how one is read."""

    name: str
    is_result: Callable[[Path], bool]
    """Tells its files per question from others in a folder, by their names."""
    read: Callable[[Path, Choices], list[Run]]
    """Raises InputError, naming files and lines, for what is no result of this harness."""


def field_at(fields: Mapping[str, Any], dotted: str) -> Any:
    """Find the value of `name` or `name.field`; None where there is none. A name with dots in it is found, too."""
    if dotted in fields:
        return fields[dotted]
    head, _, tail = dotted.partition(".")
    inner = fields.get(head)
    return field_at(inner, tail) if tail and isinstance(inner, Mapping) else None


def as_score(value: Any) -> float | None:
    """Read a score; None for what is none, and for what is not finite.

    It is a number, true or false, or the text of one, also alone in a list.
    """
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        text = value.strip().lower()
        if text in _WORDS:
            return _WORDS[text]
        try:
            value = float(text)
        except ValueError:
            return None
    if not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def is_share(value: float | None) -> bool:
    """Tell whether a score lies from 0 to 1."""
    return value is not None and 0 <= value <= 1


def as_text(value: Any) -> str | None:
    """Write an answer as text: lists around a single one are taken off, and what is no text is written as JSON."""
    while isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def image_field(documents: Sequence[Mapping[str, Any]]) -> str | None:
    """Find the field that names the image in all of these mappings; None where there is none."""
    for name in IMAGE_FIELDS:
        if documents and all(name_text(document.get(name)) is not None for document in documents):
            return name
    return None


def benchmark_of(choices: Choices, known: str | None, path: Path, hint: str) -> str:
    """Return the benchmark that a person named, or that the file's name has.

    Args:
        choices: of the person.
        known: read off the file's name; None where that does not say.
        path: of the file.
        hint: why the name does not say, in words.

    Raises:
        InputError: where neither is known.
    """
    name = choices.benchmark or known
    if name is None:
        raise InputError(f"must be given: {hint}", place=str(path), key="--benchmark")
    return name


def shown(value: Any) -> str:
    """Write a value of a record for a message: no value is null, as files have it."""
    return "null" if value is None else repr(value)
