"""Keep the parts that many arms share, so that each is resolved once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from search_spaces.errors import InputError

T = TypeVar("T")


class Parts:
    """Memory of the parts of arms, by what they were made from: one object serves all arms that have it.

    That identity matters: `identity.Memo` goes by object.
    """

    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}
        """Key -> the part, or the error that its making raised."""

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the part of a key, made once.

        Args:
            key: everything that the part follows from.
            make: makes the part on the first call with this key.

        Raises:
            InputError: what `make` raised, on every call with this key.
        """
        if key not in self._made:
            try:
                self._made[key] = make()
            except InputError as error:
                self._made[key] = error
        part = self._made[key]
        if isinstance(part, InputError):
            raise part
        return part  # type: ignore[no-any-return]  # what `make` of an equal key returned
