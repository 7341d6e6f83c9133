"""A store that is a folder, on which a process dies at a chosen operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from trainables.storage.store import LocalStore

Place = Callable[[str, str], bool]
"""Of an operation (`before move`, `behind put`, ...) and the name that it is about: whether the process dies there."""


class KilledError(BaseException):
    """End of a process. No `except Exception` sees it."""


class FailingStore(LocalStore):
    """Folder on which the process dies once, where `dies` says so."""

    def __init__(self, root: Path, dies: Place):
        super().__init__(root)
        self._dies = dies

    def put(self, name: str, data: bytes) -> None:
        self._look("before put", name)
        super().put(name, data)
        self._look("behind put", name)

    def move(self, name: str, to: str) -> None:
        self._look("before move", to)
        super().move(name, to)
        self._look("behind move", to)

    def remove(self, name: str) -> None:
        self._look("before remove", name)
        super().remove(name)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        with super().writing(name) as path:
            yield path
        self._look("behind writing", name)

    def _look(self, operation: str, name: str) -> None:
        if self._dies(operation, name):
            self._dies = lambda _, __: False
            raise KilledError(f"{operation} {name}")
