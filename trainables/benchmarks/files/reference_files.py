"""Open the files of a benchmark, under any name: the content decides which is which.

A folder is searched for the published names first; where those are not there, every data file in it counts.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search_spaces.errors import InputError
from trainables.benchmarks.files.json_words import object_of, what_is_wrong, where_and_what
from trainables.benchmarks.files.plain_pickle import load_plain
from trainables.benchmarks.files.plain_text import read_bytes, read_text

DATA_SUFFIXES = (".json", ".jsonl", ".p", ".pkl", ".pickle", ".csv")


@dataclass(frozen=True)
class Document:
    """Parsed content of one file: plain values only."""

    path: Path
    value: Any
    """Of a file with one JSON value per line: the list of them. Of a CSV file: its lines."""

    @property
    def place(self) -> str:
        return str(self.path)

    @property
    def rows(self) -> list[Any]:
        """The records of a file that holds one per line (a single line reads as one JSON value), or a list of them."""
        if isinstance(self.value, list):
            return self.value
        return [self.value] if isinstance(self.value, dict) else []


class ReferenceFiles:
    """Files that were given, or matched in a folder; each is read once, when it is first needed."""

    def __init__(self, benchmark: str, paths: Sequence[Path]):
        self._benchmark, self.paths = benchmark, tuple(paths)
        self._documents: dict[Path, Document] = {}

    def documents(self) -> list[Document]:
        return [self._document(path) for path in self.paths]

    def one(self, role: str, holds: Callable[[Document], bool]) -> Document:
        """Find the document of a role by what it holds. Raises InputError unless there is exactly one."""
        document = self.one_or_none(role, holds)
        if document is None:
            raise InputError(
                f"the references of {self._benchmark} must have {role}, but none of these files is it:"
                f" {', '.join(map(str, self.paths)) or '(none)'}",
                way_out=f"`ablate benchmarks show {self._benchmark}` lists the files and where they are published.",
            )
        return document

    def one_or_none(self, role: str, holds: Callable[[Document], bool]) -> Document | None:
        """Find the document of a role, or return None. Raises InputError if there are several."""
        documents = self.all(holds)
        if len(documents) > 1:
            raise InputError(
                f"the references of {self._benchmark} must have {role} once, but these all are it:"
                f" {', '.join(str(document.path) for document in documents)}",
                way_out="Name the files instead of their folder.",
            )
        return documents[0] if documents else None

    def all(self, holds: Callable[[Document], bool]) -> list[Document]:
        return [document for document in self.documents() if holds(document)]

    def forget(self) -> None:
        """Free what was read: annotation files are large."""
        self._documents.clear()

    def _document(self, path: Path) -> Document:
        if path not in self._documents:
            self._documents[path] = Document(path, _parsed(path))
        return self._documents[path]


def find_files(benchmark: str, wanted: Sequence[WantedFile], paths: Iterable[Path]) -> ReferenceFiles:
    """Find the data files among `paths` and in folders among them.

    Args:
        benchmark: its id, for errors.
        wanted: files that the benchmark reads, with their published names.
        paths: files, which are taken under any name, and folders.

    Raises:
        InputError: a path that does not exist.
    """
    files: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise InputError(f"references must exist, but there is nothing at {path}", key="--references")
        files.update(dict.fromkeys(_in_folder(path, wanted) if path.is_dir() else [path]))
    return ReferenceFiles(benchmark, list(files))


def matching(folder: Path, wanted: WantedFile) -> list[Path]:
    """Find the files below a folder that have one of the published names."""
    return [path for path in _data_files(folder) if _is_called(path, folder, wanted)]


def _in_folder(folder: Path, wanted: Sequence[WantedFile]) -> list[Path]:
    files = _data_files(folder)
    named = [path for path in files if any(_is_called(path, folder, file) for file in wanted)]
    complete = all(any(_is_called(path, folder, file) for path in named) for file in wanted if file.required)
    return named if wanted and complete else files


def _data_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if _suffix(path) in DATA_SUFFIXES and path.is_file())


def _suffix(path: Path) -> str:
    """Name the kind of a file by its suffix, that of the file inside where it is gzipped."""
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def _is_called(path: Path, folder: Path, wanted: WantedFile) -> bool:
    name = path.relative_to(folder).as_posix().removesuffix(".gz")
    return any(fnmatch.fnmatchcase(name, p) or fnmatch.fnmatchcase(name, f"*/{p}") for p in wanted.patterns)


def _parsed(path: Path) -> Any:
    suffix = _suffix(path)
    if suffix in (".p", ".pkl", ".pickle"):
        return load_plain(read_bytes(path), str(path))
    text = read_text(path)
    if suffix == ".csv":
        return text.splitlines()
    return read_json_lines(text, str(path)) if suffix == ".jsonl" else _json_or_lines(text, path)


def _json_or_lines(text: str, path: Path) -> Any:
    """Parse one JSON value, or one per line (POPE's files of lines are called .json)."""
    try:
        return json.loads(text, object_pairs_hook=object_of)
    except (ValueError, RecursionError) as error:
        first = text.lstrip().partition("\n")[0]
        if _is_json(first):
            return read_json_lines(text, str(path))
        raise InputError(f"must be JSON, but {where_and_what(error)}", place=str(path)) from error


def _is_json(line: str) -> bool:
    try:
        json.loads(line, object_pairs_hook=object_of)
    except (ValueError, RecursionError):
        return False
    return True


def read_json_lines(text: str, place: str) -> list[Any]:
    """Parse one JSON value per line and skip empty lines. Raises InputError with the line's number."""
    values = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                values.append(json.loads(line, object_pairs_hook=object_of))
            except (ValueError, RecursionError) as error:
                law = f"must be one JSON value per line, but {what_is_wrong(error)}"
                raise InputError(law, place=f"{place}:{number}") from error
    return values


@dataclass(frozen=True)
class WantedFile:
    """Names and source of a file that a benchmark reads."""

    role: str
    patterns: tuple[str, ...]
    """Names under which it is published, as globs: what is looked for in a folder."""
    published: str
    """Where its authors publish it."""
    required: bool = True
