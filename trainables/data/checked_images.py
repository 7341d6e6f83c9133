"""Read and decode images in parallel and in order: missing and broken ones are found before anything trains."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from search_spaces.spec import PixelSpec
from trainables.data.decode import UnusableImageError, check
from trainables.data.parallel import in_order
from trainables.model.rgb import Treatment

if TYPE_CHECKING:
    from trainables.data.readers import Reader

_IMAGES_PER_TASK = 32
_MOST_THREADS = 16
MISSING = "is missing"
"""Problem of an image that is not there, as opposed to one that cannot be used."""


@dataclass(frozen=True)
class CheckedImage:
    """Content of one image, or why it cannot be used."""

    key: str
    data: bytes
    """Encoded; empty if there is a problem."""
    digest: bytes
    """SHA-256 of `data`."""
    problem: str | None
    """Why it cannot be used."""
    is_intact: bool = False
    """Whether an image with a problem is whole, and a declaration of its source would make it usable."""
    treatments: tuple[Treatment, ...] = ()
    """What is done to it when it is decoded."""


def checked_images(
    reader: Reader, keys: Iterable[str], pixels: PixelSpec, threads: int
) -> Generator[CheckedImage, None, None]:
    """Read and decode images, in the order of `keys`; a few hundred are in memory at a time.

    Args:
        reader: reads the encoded images; its `image` is called by several threads.
        keys: images within the reader's source.
        pixels: how images of the source become pixels.
        threads: how many read at once; 0 reads in this thread.
    """

    def checked(chunk: tuple[str, ...]) -> list[CheckedImage]:
        return [_checked(reader, key, pixels) for key in chunk]

    for images in in_order(checked, _chunks(keys), threads, 2 * threads):
        yield from images


def default_threads() -> int:
    """Count the processors that this process may use, at most 16: more threads only wait for the disk."""
    return min(len(os.sched_getaffinity(0)), _MOST_THREADS)


def _chunks(keys: Iterable[str]) -> Iterator[tuple[str, ...]]:
    remaining = iter(keys)
    while chunk := tuple(islice(remaining, _IMAGES_PER_TASK)):
        yield chunk


def _checked(reader: Reader, key: str, pixels: PixelSpec) -> CheckedImage:
    try:
        data = reader.image(key)
    except FileNotFoundError:
        return CheckedImage(key, b"", b"", MISSING)
    except IsADirectoryError:
        return CheckedImage(key, b"", b"", "is a folder, no image")
    except OSError as error:
        return CheckedImage(key, b"", b"", f"cannot be read ({error.strerror or error})")
    try:
        treatments = check(data, pixels)
    except UnusableImageError as error:
        return CheckedImage(key, b"", b"", str(error), error.is_intact)
    return CheckedImage(key, data, hashlib.sha256(data).digest(), None, treatments=treatments)
