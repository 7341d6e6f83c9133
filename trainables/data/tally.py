"""Count and digest a source while it is read: the same result from every file format."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Literal

from search_spaces.identity import PIXELS_VERSION, canonical_json
from search_spaces.spec import LostImage, PixelSpec
from trainables.data.checked_images import MISSING, CheckedImage
from trainables.data.record import TEXT_ONLY, Record
from trainables.data.refused import RefusedRecord
from trainables.model.rgb import CHANGES_PIXELS
from trainables.storage.records import Counts


class Tally:
    """Counts, digest and problems of a source.

    Add all records in order, and each image once, in the order of first use. Both may alternate, as long as an image is
    not added before the record that uses it first.
    """

    def __init__(self, pixels: PixelSpec) -> None:
        """Begin a tally; `pixels` is how images of the source become pixels."""
        self._pixels = pixels
        self._digest = hashlib.sha256()
        self._image_digests = bytearray()
        self._tags: Counter[str] = Counter()
        self.counted = 0
        """Records so far."""
        self._rows: dict[str, int] = {}
        self._first_users: list[str] = []
        self.refused: list[str] = []
        """One line for each record that cannot be read."""
        self.problems: list[str] = []
        """One line for each image that cannot be used."""
        self.treated: Counter[str] = Counter()
        """Images by what is done to them when they are decoded."""
        self.unusable: dict[str, LostImage | Literal["undeclared"]] = {}
        """Images that cannot be used, in the order of `problems`; intact ones whose source must declare something."""
        self.lost: dict[str, LostImage] = {}
        """Images whose records are left out."""
        self.left_out: list[str] = []
        """One line for each record that is left out."""
        self._left_out: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        """How many records and images of each kind cannot be read or used."""

    def without(self, kinds: Collection[LostImage]) -> Tally | None:
        """Begin the tally of the records whose images are not lost in some ways; None if there are no others.

        All records must be read again: those that `leaves_out` tells are not to be added. The images need not.
        """
        lost = {key: kind for key, kind in self.unusable.items() if kind != "undeclared" and kind in kinds}
        if not lost:
            return None
        kept = Tally(self._pixels)
        kept.lost = lost
        kept.treated, kept._image_digests = self.treated, self._image_digests
        for key, line in zip(self.unusable, self.problems, strict=True):
            if key not in lost:
                kept.unusable[key] = self.unusable[key]
                kept.problems.append(line)
                kept.kinds[f"{self.unusable[key]} image"] += 1
        return kept

    def leaves_out(self, record: Record) -> bool:
        """Tell whether a record is left out because its image is lost, and count and list it then."""
        if not self.lost or record.image not in self.lost:
            return False
        kind = self.lost[record.image]
        self.left_out.append(f"record {record.id!r}: the image {record.image!r} is {kind}; left out, as `drop` says")
        self._left_out[kind] += 1
        return True

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

    def refuse(self, record: RefusedRecord) -> None:
        """Keep why a record cannot be read; it is not counted among the records."""
        self.refused.append(str(record))
        self.kinds[record.kind] += 1

    def add_image(self, image: CheckedImage) -> None:
        if image.problem is None:
            self.add_image_digest(image.digest)
            self.treated.update(image.treatments)
        else:
            user = self._first_users[self._rows[image.key]]
            self.problems.append(f"record {user!r}: the image {image.key!r} {image.problem}")
            kind: LostImage | Literal["undeclared"] = "missing" if image.problem == MISSING else "broken"
            if image.is_intact:  # a mix that drops broken images must not drop it
                kind = "undeclared"
            self.unusable[image.key] = kind
            self.kinds[f"{kind} image"] += 1

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
        """Compute the SHA-256 over all records, then the digests of all images, then the version of their pixels."""
        whole = self._digest.copy()
        whole.update(self._image_digests)
        whole.update(self._pixels_version())
        if self._left_out:  # so that what is left out is known of these data, and not of equal ones that are whole
            whole.update(canonical_json({"left_out": dict(self._left_out)}).encode())
        return whole.hexdigest()

    def picture_digests(self) -> list[bytes]:
        """List the SHA-256 of the distinct images, sorted: the rows of the source's pictures."""
        return sorted(set(self._each_image_digest()))

    def picture_rows(self) -> list[int]:
        """List the row among the distinct images of each image, in the order of first use."""
        rows = {digest: row for row, digest in enumerate(self.picture_digests())}
        return [rows[digest] for digest in self._each_image_digest()]

    def pictures(self) -> str:
        """Compute the digest of the images alone: equal for every source that has them, in whatever order."""
        return hashlib.sha256(b"".join(self.picture_digests()) + self._pixels_version()).hexdigest()

    def _each_image_digest(self) -> Iterator[bytes]:
        size = hashlib.sha256().digest_size
        for start in range(0, len(self._image_digests), size):
            yield bytes(self._image_digests[start : start + size])

    def _pixels_version(self) -> bytes:
        """Write the rules that have changed pixels; nothing where every image is converted as it ever was."""
        done = {treatment for treatment, changes in CHANGES_PIXELS.items() if changes and self.treated[treatment]}
        if not done:
            return b""
        pixels = self._pixels
        rules: dict[str, object] = {"pixels_version": PIXELS_VERSION}
        if "composed on the ground" in done:
            rules["ground"] = pixels.ground
        if pixels.white is not None and any(treatment.startswith("scaled") for treatment in done):
            rules["white"] = pixels.white
        if "shrunk on read" in done:
            rules["shrink_above"] = pixels.shrink_above
        return canonical_json(rules).encode()

    def counts(self) -> Counts:
        tags = dict(sorted(self._tags.items()))
        text_only = tags.pop(TEXT_ONLY, 0)
        return Counts(
            records=self.counted,
            text_only=text_only,
            images=len(self._rows),
            tags=tags,
            left_out=dict(sorted(self._left_out.items())),
            lost_images=len(self.lost),
        )


def evenly(keys: Sequence[str], most: int) -> Sequence[str]:
    """Choose at most `most` keys, spread evenly over all."""
    return keys[:: -(-len(keys) // most) or 1]
