"""Map prepared pictures, each of which has its own digest: what is damaged is never taken for a picture. No torch."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from trainables.storage import layout
from trainables.storage.payloads import require_content_error
from trainables.storage.store import Store

if TYPE_CHECKING:  # takes as long to load as `ablate status` runs
    import pyarrow as pa


_COLUMNS = {"bytes": "binary", "place": "int32", "digest": "fixed_size_binary[32]"}
"""Without digests, the version that prepared the pictures kept none."""


class ChangedPictureError(ValueError):
    """A picture is not the one that was prepared.

    Args:
        row: of the picture; None if offsets are damaged, so that no picture can be told.
        why: the end of "must be whole, but ...".
    """

    def __init__(self, row: int | None, why: str):
        super().__init__(row, why)
        self.row, self.why = row, why


class PictureFiles:
    """The two files of a folder of pictures, through a memory map. Rows are in the order of their SHA-256.

    Raises:
        FileNotFoundError: a file is not there.
        ChangedPictureError: a file cannot be read.
    """

    def __init__(self, store: Store, digest: str):
        places = _mapped(store, layout.pictures_places(digest))
        pictures = _mapped(store, layout.pictures_bytes(digest))
        columns = {field.name: str(field.type) for table in (pictures, places) for field in table.schema}
        if columns not in (_COLUMNS, {name: kind for name, kind in _COLUMNS.items() if name != "digest"}):
            raise ChangedPictureError(None, f"its columns are {columns}")
        self._bytes, self._places = pictures["bytes"], places["place"].to_numpy()
        self._digests = places["digest"] if "digest" in columns else None

    def __len__(self) -> int:
        return len(self._places)

    @property
    def is_digested(self) -> bool:
        """Whether the version that prepared the pictures kept their digests."""
        return self._digests is not None

    def read(self, row: int) -> bytes:
        """Read a picture, as the file that it was. Raises ChangedPictureError if it is not what was prepared."""
        place = int(self._places[row])
        content: bytes = self._bytes[place].as_py() if 0 <= place < len(self._bytes) else b""
        if self._digests is not None and hashlib.sha256(content).digest() != self._digests[row].as_py():
            raise ChangedPictureError(row, f"picture {row:,} is not what was prepared (its digest differs)")
        return content


def _mapped(store: Store, name: str) -> pa.Table:
    """Map an Arrow file whose offsets cannot lead outside of it; they are read for that, pictures are not."""
    import pyarrow as pa

    try:
        table = pa.ipc.open_file(pa.memory_map(str(store.reading(name)))).read_all()
        table.validate(full=True)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        require_content_error(error)
        raise ChangedPictureError(None, f"it cannot be read ({error})") from error
    return table
