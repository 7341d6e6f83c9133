"""Collect what is wrong with many records: every kind once, with its number and its first places."""

from __future__ import annotations

from search_spaces.errors import InputError, Problems
from search_spaces.quantities import number_of

_SHOWN = 5


class KindsOfProblems:
    """Collector of problems that many records share."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str | None, str | None], list[str]] = {}

    def add(self, law: str, place: str, key: str | None = None, way_out: str | None = None) -> None:
        """Collect one problem.

        Args:
            law: what must hold; equal laws are one kind.
            place: the record.
            key: the field.
            way_out: what to do instead.
        """
        self._places.setdefault((law, key, way_out), []).append(place)

    def add_error(self, error: InputError, place: str) -> None:
        """Collect an error that a record raised."""
        self.add(error.law, place, error.key, error.way_out)

    def raise_all(self) -> None:
        """Raise nothing, or an InputError with all kinds."""
        Problems(self._problem(kind, places) for kind, places in self._places.items()).raise_all()

    def _problem(self, kind: tuple[str, str | None, str | None], places: list[str]) -> InputError:
        law, key, way_out = kind
        others = len(places) - 1
        if others:
            shown = ", ".join(place.rpartition("/")[2] for place in places[1 : 1 + _SHOWN])
            more = ", ..." if others > _SHOWN else ""
            law = f"{law}; the same in {number_of(others, 'more record')}: {shown}{more}"
        return InputError(law, place=places[0], key=key, way_out=way_out)
