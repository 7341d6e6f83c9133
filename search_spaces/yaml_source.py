"""Read YAML files as plain values that know where they came from.

The subset is that of YAML 1.2's core schema, read strictly: ``1e-4`` is a number and ``no`` a word; duplicate keys,
tags, merge keys, NaN and infinities are refused. Keys are always text, as written. Files have limits (`yaml_limits`).
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from search_spaces.errors import InputError
from search_spaces.regular_files import read_regular
from search_spaces.yaml_limits import LOADER, MOST_DIGITS, check_events, require_size

KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys and list positions from the root of a file to a value."""

_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+(\.[0-9]*)?")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN")


@dataclass(frozen=True)
class Document:
    """A tree of plain values with, for each of them, its place and its text."""

    value: Any
    origins: dict[KeyPath, str] = field(default_factory=dict)
    """``file:line`` or ``--set KEY=VALUE``."""
    texts: dict[KeyPath, str] = field(default_factory=dict)
    """Scalars as they were written: ``2e-5`` rather than ``2e-05``."""

    def origin(self, path: KeyPath) -> str | None:
        """Return the place of a value, or of the nearest one around it."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.origins:
                return self.origins[path[:end]]
        return None

    def text(self, path: KeyPath, value: Any) -> str:
        """Write a value as its author wrote it, for names and messages."""
        return self.texts.get(path) or show(value)


def key_text(path: KeyPath) -> str:
    """Write a key path as ``axes.vision.resize[2]``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def show(value: Any) -> str:
    """Write a plain value in YAML's words; lists are joined by ``+`` (``align+finetune``)."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "+".join(map(show, value))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {show(item)}" for key, item in value.items()) + "}"
    return str(value)


def parse(text: str, place: str, *, line_numbers: bool = True) -> Document:
    """Read one YAML document.

    Args:
        text: of the document.
        place: of the text, as errors and origins call it: a path, or ``--set KEY=VALUE``.
        line_numbers: whether places end in ``:line``.

    Raises:
        InputError: with the line of what is not accepted.
    """
    try:
        check_events(text, place, line_numbers)
        root = yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{place}:{mark.line + 1}" if mark and line_numbers else place
        what = _tab(text, mark) or (error.problem or error.context or "").removeprefix("but ")
        raise InputError(f"must be YAML, but {what}", place=where) from error
    except yaml.reader.ReaderError as error:
        where = f"{place}:{_line_of(text, error.position)}" if line_numbers else place
        what = f"the character U+{ord(text[error.position]):04X} is not allowed in it"
        raise InputError(f"must be YAML, but {what}", place=where) from error
    except yaml.YAMLError as error:
        raise InputError(f"must be YAML, but {error}", place=place) from error
    document = Document(None, {(): place})
    if root is None:
        return document
    builder = _Builder(place, line_numbers, document)
    value = builder.build(root, (), ())
    return Document(value, document.origins, document.texts)


def _tab(text: str, mark: yaml.Mark | None) -> str | None:
    """Say that a line is indented by a tab, if it is: YAML's own words name no tab."""
    lines = text.splitlines()
    line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
    indent = line[: len(line) - len(line.lstrip())]
    return "the line is indented by a tab, and YAML takes blanks alone" if "\t" in indent else None


def _line_of(text: str, position: int) -> int:
    return 1 + text.count("\n", 0, position)


def read(path: Path) -> Document:
    """Read a YAML file. Raises InputError if it cannot be read, or is a file of another kind."""
    try:
        require_size(path)
        data = read_regular(path)
    except OSError as error:
        raise InputError(f"must be a readable text file, but {error}", place=str(path)) from error
    text = _decoded(data, str(path))
    if text.startswith("version https://git-lfs.github.com/"):
        raise InputError(
            "must be the file itself, but is a pointer of Git LFS", place=str(path), way_out="git lfs pull"
        )
    if text.lstrip()[:14].lower().startswith(("<!doctype html", "<html")):
        raise InputError("must be YAML, but is an HTML page", place=str(path), way_out="Download the file itself.")
    return parse(text, str(path))


def _decoded(data: bytes, place: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        is_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        number = 1 + data[: error.start].count(b"\n")
        what = "is UTF-16" if is_16 else f"line {number:,} has the byte 0x{data[error.start]:02x}"
        raise InputError(f"must be text in UTF-8, but {what}", place=place, way_out="Save it as UTF-8.") from error


@dataclass
class _Builder:
    """Builder of values from PyYAML's nodes, which keep the marks that constructed values lose."""

    place: str
    line_numbers: bool
    document: Document

    def build(self, node: Any, path: KeyPath, above: tuple[int, ...]) -> Any:
        """Build the value of a node.

        Args:
            node: what PyYAML composed.
            path: where the value goes.
            above: ids of the nodes around it; an alias must not be among them.
        """
        self.document.origins[path] = self._place(node)
        if id(node) in above:
            raise self._error(node, path, "an alias must not lie inside of what it repeats")
        above = (*above, id(node))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*path, i), above) for i, child in enumerate(node.value)]
        return self._mapping(node, path, above)

    def _mapping(self, node: Any, path: KeyPath, above: tuple[int, ...]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, child in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                law = "a key must be a word, not a list or a mapping"
                raise self._error(key_node, path, law, "A template such as {{ x }} is not filled in: write its value.")
            key = key_node.value
            if key == "<<" and not key_node.style:
                raise self._error(key_node, path, "YAML 1.2 has no merge keys `<<`", "Write its keys out.")
            if key in result:
                first = self.document.origins[(*path, key)]
                raise self._error(key_node, (*path, key), f"a key must occur once, but it was there at {first}")
            result[key] = self.build(child, (*path, key), above)
            self.document.origins[(*path, key)] = self._place(key_node)
        return result

    def _scalar(self, node: Any, path: KeyPath) -> Any:
        text: str = node.value
        self.document.texts[path] = text
        if node.style:  # quoted, or a block of text
            return text
        return self._plain(text, node, path)

    def _plain(self, text: str, node: Any, path: KeyPath) -> Any:
        if _NULL.fullmatch(text):
            self.document.texts[path] = "null"
            return None
        if _BOOL.fullmatch(text):
            return text.lower() == "true"
        if _LEADING_ZERO.fullmatch(text):
            law = f"a number must not begin with 0, as some read 010 as 8 and some as 10, but got {text}"
            sign, digits = text.removesuffix(text.lstrip("+-")).strip("+"), text.lstrip("+-0")
            plain = f"{sign}{digits if digits[:1].isdigit() else f'0{digits}'}"
            raise self._error(node, path, law, f"Write `{plain}`; in quotes it is text.")
        if len(text) > MOST_DIGITS and (_INT.fullmatch(text) or _OCTAL_OR_HEX.fullmatch(text)):
            law = f"a whole number must have at most {MOST_DIGITS} digits, but got {len(text):,}"
            raise self._error(node, path, law, "In quotes it is text.")
        if _INT.fullmatch(text):
            return int(text)
        if _OCTAL_OR_HEX.fullmatch(text):
            return int(text, 0)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if math.isfinite(number):
                return number
        if _NOT_FINITE.fullmatch(text) or _FLOAT.fullmatch(text):
            raise self._error(node, path, f"a number must be finite, but got {text}")
        return text

    def _place(self, node: Any) -> str:
        return f"{self.place}:{node.start_mark.line + 1}" if self.line_numbers else self.place

    def _error(self, node: Any, path: KeyPath, law: str, way_out: str | None = None) -> InputError:
        return InputError(law, place=self._place(node), key=key_text(path) or None, way_out=way_out)


def value_at(value: Any, path: KeyPath) -> Any:
    """Return what a key path leads to inside of a value. Raises KeyError or IndexError where it leads nowhere."""
    for key in path:
        value = value[key]
    return value


def leaves(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """List every value that is no (non-empty) mapping, with its path; lists are leaves."""
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from leaves(child, (*path, key))
    else:
        yield path, value
