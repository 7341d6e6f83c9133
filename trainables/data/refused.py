"""Define why a record is refused. Refused records are raised one by one, or gathered so that all are told at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from search_spaces.errors import InputError

RefusalKind = Literal[
    "syntax",
    "encoding",
    "form",
    "turns",
    "system turn",
    "text",
    "placeholder",
    "several images",
    "image path",
    "other modality",
    "id or tags",
]
"""`syntax`: no JSON, or cut off; `form`: no conversation is found; `turns`: roles and their order; `text`: what must be
text is something else; `placeholder`: the text announces another number of images than the record holds."""


@dataclass(frozen=True)
class RefusedRecord:
    """Record that cannot be read without guessing, and where it is in its file."""

    kind: RefusalKind
    place: str
    law: str
    way_out: str | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.law}"


Refuse = Callable[[RefusedRecord], None]
"""Receiver of the records that a reader refuses. The reader goes on with the next record when it returns."""


class RecordError(Exception):
    """Finding about one record, raised by what reads its fields; its place is known to the reader of the file."""

    def __init__(self, kind: RefusalKind, law: str, way_out: str | None = None):
        super().__init__(kind, law, way_out)
        self.kind, self.law, self.way_out = kind, law, way_out

    def at(self, place: str) -> RefusedRecord:
        """Add where the record is."""
        return RefusedRecord(self.kind, place, self.law, self.way_out)


def raise_refused(refused: RefusedRecord) -> None:
    """Raise an InputError about a refused record."""
    raise InputError(refused.law, place=refused.place, way_out=refused.way_out)
