"""Map prepared pictures, each of which has its own digest: what is damaged is never taken for a picture. No torch."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from trainables.storage import layout
from trainables.storage.damages import Damage
from trainables.storage.digests import confirmed
from trainables.storage.payloads import require_content_error
from trainables.storage.store import Facts, Store

if TYPE_CHECKING:  # takes as long to load as `ablate status` runs
    import pyarrow as pa


_COLUMNS = {"bytes": "binary", "place": "int32", "digest": "fixed_size_binary[32]"}
"""Without digests, the version that prepared the pictures kept none."""


class ChangedPictureError(ValueError):
    """A picture is not the one that was prepared, or offsets are damaged, so that no picture can be told."""

    def __init__(self, damage: Damage):
        super().__init__(damage)
        self.damage = damage


class PictureFiles:
    """The two files of a folder of pictures, through a memory map. Rows are in the order of their SHA-256.

    Raises:
        FileNotFoundError: a file is not there.
        ChangedPictureError: a file cannot be read.
    """

    def __init__(self, store: Store, digest: str):
        self._name, self._places_name = layout.pictures_bytes(digest), layout.pictures_places(digest)
        self._place, self._facts = store.place(self._name), store.facts(self._name)
        places = _mapped(store, self._places_name)
        pictures = _mapped(store, self._name)
        columns = {field.name: str(field.type) for table in (pictures, places) for field in table.schema}
        if columns not in (_COLUMNS, {name: kind for name, kind in _COLUMNS.items() if name != "digest"}):
            raise self._changed(f"its columns are {columns}")
        self._bytes, self._places = pictures["bytes"], places["place"].to_numpy()
        self._digests = places["digest"] if "digest" in columns else None

    def __len__(self) -> int:
        return len(self._places)

    @property
    def is_digested(self) -> bool:
        """Whether the version that prepared the pictures kept their digests."""
        return self._digests is not None

    def read(self, row: int) -> bytes:
        """Read a picture, as the file that it was.

        Raises:
            ChangedPictureError: it is not what was prepared.
            OSError: it reads as another content each time.
        """
        place = int(self._places[row])
        content = b""

        def look() -> bytes | None:
            nonlocal content
            content = self._bytes[place].as_py() if 0 <= place < len(self._bytes) else b""
            digest = hashlib.sha256(content).digest()
            return None if self._digests is None or digest == self._digests[row].as_py() else digest

        if confirmed(look, self._place) is not None:
            raise self._changed(
                f"picture {row:,} is not what was prepared (it has not the digest that stands in {self._places_name})"
            )
        return content

    def _changed(self, problem: str) -> ChangedPictureError:
        return ChangedPictureError(Damage(self._name, problem, self._place, self._facts))


def _mapped(store: Store, name: str) -> pa.Table:
    """Map an Arrow file whose offsets cannot lead outside of it; they are read for that, pictures are not."""
    import pyarrow as pa

    facts: Facts = store.facts(name)
    try:
        table = pa.ipc.open_file(pa.memory_map(str(store.reading(name)))).read_all()
        table.validate(full=True)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        require_content_error(error)
        raise ChangedPictureError(Damage(name, f"it cannot be read ({error})", store.place(name), facts)) from error
    return table
