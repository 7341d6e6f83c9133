"""Read pictures that sources share: kept once on storage, by their content, whatever is asked about them. No torch."""

from __future__ import annotations

from typing import NoReturn

import pyarrow as pa
from PIL import Image

from search_spaces.errors import InputError
from search_spaces.spec import PixelSpec
from trainables.data.decode import decode
from trainables.storage import layout
from trainables.storage.damages import refuse_damaged
from trainables.storage.picture_files import ChangedPictureError, PictureFiles
from trainables.storage.store import Store


class Pictures:
    """Distinct pictures of one or several sources, through a memory map. Rows are in the order of their SHA-256.

    That order is a function of the pictures alone, so that features computed for one source serve every other.
    """

    def __init__(self, store: Store, digest: str, pixels: PixelSpec):
        """Map the pictures of a digest; `pixels` is how they become pixels."""
        self.pixels = pixels
        self._store, self._digest = store, digest
        try:
            self._files = PictureFiles(store, digest)
        except FileNotFoundError as error:
            raise InputError(
                f"must hold prepared pictures, but {error.filename or error} is not there",
                place=store.place(layout.pictures_folder(digest)),
                way_out="Run the study again: the source is read anew.",
            ) from error
        except ChangedPictureError as error:
            self._refuse(error)

    def __len__(self) -> int:
        return len(self._files)

    def encoded(self, row: int) -> bytes:
        """Read an image file, unchanged. Raises DamagedArtifactError if it is not what was prepared."""
        try:
            return self._files.read(row)
        except ChangedPictureError as error:
            self._refuse(error)

    def _refuse(self, error: ChangedPictureError) -> NoReturn:
        refuse_damaged(self._store, layout.pictures_folder(self._digest), error.damage)

    def picture(self, row: int) -> Image.Image:
        """Decode a picture to RGB as a person sees it. Raises UnusableImageError if that fails."""
        return decode(self.encoded(row), self.pixels).picture


def mapped(store: Store, name: str) -> pa.Table:
    """Map an Arrow file of prepared data. Raises InputError if it is not there or damaged."""
    try:
        return pa.ipc.open_file(pa.memory_map(str(store.reading(name)))).read_all()
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"must be a complete Arrow file, but {error}",
            place=store.place(name),
            way_out="Run the study again: the source is read anew.",
        ) from error
