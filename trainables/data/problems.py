"""Tell everything that is wrong with a source in one go: the first findings on the terminal, every one in a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from search_spaces.errors import InputError, Problems
from search_spaces.spec import SourceSpec
from trainables.data.readers import HasImageFiles, Reader
from trainables.data.tally import Tally
from trainables.storage import layout
from trainables.storage.records import Counts
from trainables.storage.store import Store

SHOWN_PROBLEMS = 20


def raise_problems(source: SourceSpec, reader: Reader, tally: Tally, store: Store) -> None:
    """Raise an error about the records and images that cannot be used, and list all of them in a file on storage.

    Args:
        source: the source.
        reader: of the source; knows where images were looked for.
        tally: what was read of it.
        store: storage of the list.

    Raises:
        InputError: at least one record or image cannot be used; the first 20 of each are named.
    """
    file = list_problems(source, tally, store)
    if not tally.refused and not tally.problems:
        return
    listed, problems, key = f"All of them are listed in {file}.", Problems(), f"sources.{source.name}"
    records, images = tally.counted + len(tally.refused), tally.num_images
    if tally.refused:
        law = f"every record must be readable, but {len(tally.refused):,} of {records:,} are not:"
        problems.add(InputError(law + _shown(tally.refused), key=key, way_out=listed))
    if tally.problems:
        law = f"every image must be there and readable, but {len(tally.problems):,} of {images:,} are not:"
        way_out = f"{looked_in(source, reader)}{listed}"
        problems.add(InputError(law + _shown(tally.problems), key=key, way_out=way_out))
    problems.raise_all()


def list_problems(source: SourceSpec, tally: Tally, store: Store) -> str | None:
    """Write the list of the records and images that cannot be used or are left out; return its place, None without any.

    Args:
        source: the source.
        tally: what was read of it.
        store: storage of the list.
    """
    lines = [*tally.refused, *tally.problems, *tally.left_out]
    if not lines:
        return None
    name = layout.data_problems(source.name)
    store.put(name, "".join(f"{line}\n" for line in lines).encode(errors="backslashreplace"))
    return store.place(name)


def left_out_lines(counts: Counts, file: str | None) -> list[str]:
    """Say in words how many records are left out because their images are lost.

    Args:
        counts: of the source.
        file: place of the list of them; None if it is not known.
    """
    listed = f", listed in {file}" if file else ""
    every = counts.records + sum(counts.left_out.values())
    return [
        f"{number:,} of {every:,} records are left out, as their images are {kind}{listed}"
        for kind, number in counts.left_out.items()
    ]


def looked_in(source: SourceSpec, reader: Reader) -> str:
    """Say in which folder images were looked for, and what changes it; "" where images are no files."""
    if not isinstance(reader, HasImageFiles):
        return ""
    missing = "" if reader.image_folder.is_dir() else ", which is not there"
    return f"Images were looked for in {reader.image_folder}{missing}: {_changed_by(source)} names another folder.\n"


def _changed_by(source: SourceSpec) -> str:
    """Name the option or the field that says where the images of a source are."""
    if source.image_folder is not None and PurePath(source.image_folder).is_absolute():
        return "--images (of a file) or `image_folder` (of a study's source)"
    return f"`image_folder` of the source {source.name!r}, which starts at --data (ABLATE_DATA),"


def _shown(lines: Sequence[str]) -> str:
    more = len(lines) - SHOWN_PROBLEMS
    shown = "".join(f"\n  {line}" for line in lines[:SHOWN_PROBLEMS])
    return shown + (f"\n  and {more:,} more" if more > 0 else "")
