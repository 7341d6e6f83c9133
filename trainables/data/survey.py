"""Examine a source without keeping it: its counts, its problems, the distributions of its records and images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search_spaces.spec import SourceSpec
from trainables.data.checked_images import checked_images
from trainables.data.decode import UnusableImageError, check, shown_size
from trainables.data.pace import Progress
from trainables.data.parallel import in_order
from trainables.data.readers import Reader
from trainables.data.record import Record
from trainables.data.tally import Tally, evenly
from trainables.model.rgb import Treatment
from trainables.storage.records import Counts

_SHARES = {"least": 0.0, "median": 0.5, "p90": 0.9, "p99": 0.99, "most": 1.0}
_MEASURED_IMAGES = 2000


def survey(source: SourceSpec, reader: Reader, threads: int, progress: Progress) -> Tally:
    """Read every record and decode every image, as a preparation does, and write nothing.

    Records that cannot be read are in the tally, as are images that cannot be used.

    Args:
        source: how its images become pixels, and whether records are left out whose images are lost.
        reader: of the source.
        threads: how many read images at once; 0 reads in this thread.
        progress: receives how many records and images were read.

    Raises:
        InputError: a file that cannot be read at all.
    """
    tally = Tally(source.pixels)
    for record in reader.records(tally.refuse):
        tally.add_record(record)
        progress.at("records", tally.counted, None)
    keys = list(tally.image_keys)
    for number, image in enumerate(checked_images(reader, keys, source.pixels, threads), 1):
        tally.add_image(image)
        progress.at("images", number, len(keys))
    return without_lost(source, reader, tally)


def without_lost(source: SourceSpec, reader: Reader, tally: Tally) -> Tally:
    """Tally the records that a source keeps; the same tally where none of its records is left out.

    Args:
        source: says how images may be lost.
        reader: of the source; reads all records again where some are left out.
        tally: of all records and images.
    """
    kept = tally.without(source.without)
    if kept is None:
        return tally
    for record in reader.records(kept.refuse):
        if not kept.leaves_out(record):
            kept.add_record(record)
    return kept


@dataclass(frozen=True)
class Profile:
    """Statistics of a source's records and images; distributions by `least`, `median`, `p90`, `p99`, `most`."""

    counts: Counts
    characters: dict[str, int]
    """Of a record's questions and answers together."""
    longest: str
    """Id of the record with most characters."""
    turns: dict[str, int]
    """Questions, each with its answer."""
    width: dict[str, int]
    height: dict[str, int]
    measured: int
    """Images that were looked at: at most 2,000, spread evenly over the source."""
    treated: dict[str, int]
    """Those of them by what is done to them when they are decoded."""
    refused: int
    """Records that cannot be read."""


def profile(
    source: SourceSpec,
    reader: Reader,
    threads: int,
    progress: Progress,
    keep: Callable[[Record], None] = lambda record: None,
) -> Profile:
    """Compute statistics of the records that a source keeps: where some may be left out, every image is read first.

    Records that cannot be read are left out and counted, missing and broken images are left out of the sizes: `survey`
    names both.

    A source without records has distributions of zeros.

    Args:
        source: how its images become pixels, and whether records are left out whose images are lost.
        reader: of the source.
        threads: how many read images at once; 0 reads in this thread.
        progress: receives how many records were read.
        keep: receives each of these records.

    Raises:
        InputError: a file that cannot be read at all.
    """
    pixels, tally, characters, turns, longest = source.pixels, Tally(source.pixels), [0], [0], ("", -1)
    if source.without:
        tally.lost = survey(source, reader, threads, progress).lost
    for record in reader.records(tally.refuse):
        if tally.leaves_out(record):
            continue
        tally.add_record(record)
        progress.at("records", tally.counted, None)
        keep(record)
        characters.append(record.characters)
        turns.append(len(record.turns))
        if record.characters > longest[1]:
            longest = record.id, record.characters
    measured = evenly(list(tally.image_keys), _MEASURED_IMAGES)

    def look(key: str) -> tuple[tuple[int, int], tuple[Treatment, ...]] | None:
        try:
            data = reader.image(key)
            return shown_size(data, pixels), check(data, pixels)
        except (OSError, UnusableImageError):
            return None

    looks = [look for look in in_order(look, measured, threads, 4 * threads) if look is not None]
    sizes = [size for size, _ in looks]
    treated = Counter(treatment for _, treatments in looks for treatment in treatments)
    return Profile(
        counts=tally.counts(),
        characters=distribution(characters[1:] or characters),
        longest=longest[0],
        turns=distribution(turns[1:] or turns),
        width=distribution([width for width, _ in sizes]),
        height=distribution([height for _, height in sizes]),
        measured=len(sizes),
        treated=dict(sorted(treated.items())),
        refused=len(tally.refused),
    )


def distribution(values: Sequence[int]) -> dict[str, int]:
    """Compute the quantiles of values by their names in `Profile`; zeros where there are no values."""
    numbers: np.ndarray[Any, Any] = np.asarray(values if len(values) else [0])
    return {name: int(np.quantile(numbers, share, method="lower")) for name, share in _SHARES.items()}
