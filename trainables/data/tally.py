"""Count and digest a source while it is read: the same result from every file format."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from trainables.data.checked_images import CheckedImage
from trainables.data.record import TEXT_ONLY, Record
from trainables.storage.records import Counts


class Tally:
    """Counts, digest and problems of a source.

    Add all records in order, and each image once, in the order of first use. Both may alternate, as long as an image is
    not added before the record that uses it first.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._image_digests = bytearray()
        self._tags: Counter[str] = Counter()
        self.counted = 0
        """Records so far."""
        self._rows: dict[str, int] = {}
        self._first_users: list[str] = []
        self.problems: list[str] = []
        """One line for each image that cannot be used."""

    def add_record(self, record: Record) -> int:
        """Count a record; return the row of its image among the source's images, -1 without one."""
        self._digest.update(repr((record.id, record.image, record.turns, record.tags)).encode())
        self._digest.update(record.example.encode())
        self._tags.update(record.tags)
        self.counted += 1
        if record.image is None:
            return -1
        row = self._rows.setdefault(record.image, len(self._rows))
        if row == len(self._first_users):
            self._first_users.append(record.id)
        return row

    def add_image(self, image: CheckedImage) -> None:
        if image.problem is None:
            self.add_image_digest(image.digest)
        else:
            user = self._first_users[self._rows[image.key]]
            self.problems.append(f"record {user!r}: the image {image.key!r} {image.problem}")

    def add_image_digest(self, digest: bytes) -> None:
        self._image_digests += digest

    @property
    def image_keys(self) -> Iterable[str]:
        """Keys in the order of first use."""
        return self._rows.keys()

    @property
    def num_images(self) -> int:
        return len(self._rows)

    def digest(self) -> str:
        """Compute the SHA-256 over all records and then the digests of all images."""
        whole = self._digest.copy()
        whole.update(self._image_digests)
        return whole.hexdigest()

    def counts(self) -> Counts:
        tags = dict(sorted(self._tags.items()))
        text_only = tags.pop(TEXT_ONLY, 0)
        return Counts(records=self.counted, text_only=text_only, images=len(self._rows), tags=tags)


def evenly(keys: Sequence[str], most: int) -> Sequence[str]:
    """Choose at most `most` keys, spread evenly over all."""
    return keys[:: -(-len(keys) // most) or 1]
