"""Open the reader of a data source: a table of one reader for each source format. No torch.

docs/data.md shows how to add a format; a contract test runs over the whole table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from search_spaces.spec import ReaderKind, SourceSpec
from trainables.data.formats.easy_vqa import EasyVQAReader
from trainables.data.formats.evaluation_set import EvaluationReader
from trainables.data.formats.generated_shapes import GeneratedReader
from trainables.data.formats.llava_json import LlavaReader
from trainables.data.formats.lrv import LrvReader
from trainables.data.formats.parquet import ParquetReader
from trainables.data.record import Record
from trainables.data.refused import Refuse, raise_refused
from trainables.miniature.generate import generate_if_named


class Reader(Protocol):
    """Reader of the records and images of one source. Threads may call `image` at once.

    Where images are files, a reader also has `image_folder`, and `image_file`, which returns the path of one.
    """

    def __init__(self, source: SourceSpec, data_root: Path):
        """Open the source. Raises InputError if it lacks a field that its format needs, or if its files are missing."""
        ...

    def signature(self) -> list[list[Any]]:
        """Collect what changes with the content: (name, size, time of change) of files, or versions."""
        ...

    def records(self, refuse: Refuse = raise_refused) -> Iterator[Record]:
        """Read all records, in the order of the file.

        Args:
            refuse: receives each record that cannot be read, with its place; then the next one is read.

        Raises:
            InputError: a file that cannot be read at all, and what `refuse` raises.
        """
        ...

    def image(self, key: str) -> bytes:
        """Read the encoded image. Raises FileNotFoundError if it is missing."""
        ...


@runtime_checkable
class HasImageFiles(Protocol):
    """Reader whose images are files of their own."""

    image_folder: Path
    """Where the paths of images start."""

    def image_file(self, key: str) -> Path: ...


READERS: Mapping[ReaderKind, type[Reader]] = {
    "easy-vqa": EasyVQAReader,
    "llava": LlavaReader,
    "lrv": LrvReader,
    "parquet": ParquetReader,
    "generated": GeneratedReader,
    "official": EvaluationReader,
    "questions": EvaluationReader,
}


def open_reader(source: SourceSpec, data_root: Path) -> Reader:
    """Open the reader of a source, after drawing the miniature that its path names, if that is not there yet.

    Args:
        source: what to read, and in which format.
        data_root: folder that the source's paths start at (`--data`).

    Raises:
        InputError: files that are missing, or options that the format needs.
    """
    if source.path is not None:
        generate_if_named(source.path, data_root)
    return READERS[source.reader](source, data_root)
