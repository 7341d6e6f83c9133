"""A store that is no folder: objects in a dictionary, copied to a temporary folder for those who need a path."""

from __future__ import annotations

import errno
import io
import os
import secrets
import shutil
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from search_spaces.names import part
from trainables.storage.owner import Owner
from trainables.storage.store import ASIDE, Facts, Store
from trainables.storage.walk import Entry
from trainables.task import Context, TrialTask


class CopyingStore:
    """Keeps everything in memory. Paths that it gives are new at each call and vanish when it is closed."""

    def __init__(self, scratch: Path):
        self._scratch = scratch
        self._objects: dict[str, tuple[bytes, float]] = {}
        self._leases: dict[str, tuple[str, Owner]] = {}
        self._lock = threading.Lock()

    def put(self, name: str, data: bytes) -> None:
        with self._lock:
            self._objects[name] = (data, time.time())

    def get(self, name: str) -> bytes:
        return self._object(name)[0]

    def exists(self, name: str) -> bool:
        return name in self._objects or bool(self._below(name))

    def facts(self, name: str) -> Facts:
        data, modified = self._object(name)
        return Facts(len(data), modified)

    def facts_in(self, folder: str, names: Iterable[str]) -> list[Facts]:
        return [self.facts(f"{folder}/{part(name)}") for name in names]

    def touch(self, name: str) -> None:
        self.put(name, self.get(name))

    def list(self, prefix: str) -> list[str]:
        inside = {name: name.removeprefix(f"{prefix}/") for name in self._below(prefix)}
        return sorted(name for name, rest in inside.items() if not any(_is_aside(part) for part in rest.split("/")))

    def folders(self, prefix: str) -> tuple[str, ...]:
        inside = [name.removeprefix(f"{prefix}/").split("/") for name in self._below(prefix)]
        return tuple(sorted({first for first, *rest in inside if rest and not _is_aside(first)}))

    def walk(self, prefix: str, without: Collection[str] = ()) -> Iterator[Entry]:
        for name in self._below(prefix) if prefix else tuple(self._objects):
            if not any(name.startswith(f"{folder}/") for folder in without):
                data, modified = self._objects[name]
                yield Entry(name, len(data), modified)

    def remove(self, name: str) -> None:
        with self._lock:
            for key in [name, *self._below(name)]:
                self._objects.pop(key, None)

    def remove_empty(self, name: str) -> None:
        """Do nothing: a folder of objects is there only as long as something is in it."""

    def move(self, name: str, to: str) -> None:
        if self.exists(to):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), to)
        with self._lock:
            for key in [*([name] if name in self._objects else []), *self._below(name)]:
                self._objects[to + key.removeprefix(name)] = self._objects.pop(key)

    def open(self, name: str) -> io.BytesIO:
        return io.BytesIO(self.get(name))

    def append(self, name: str) -> _Appended:
        return _Appended(self, name)

    def add(self, name: str, data: bytes) -> None:
        with self._lock:
            before, _ = self._objects.get(name, (b"", 0.0))
            self._objects[name] = (before + data, time.time())

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        path = self._new_path(name)
        yield path
        files = {name: path} if path.is_file() else {f"{name}/{inside}": file for inside, file in _files(path).items()}
        self.remove(name)
        for key, file in files.items():
            self.put(key, file.read_bytes())

    def reading(self, name: str) -> Path:
        path = self._new_path(name)
        if name in self._objects:
            path.write_bytes(self.get(name))
        for key in self._below(name):
            file = path / key.removeprefix(f"{name}/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self.get(key))
        return path

    @contextmanager
    def working_folder(self, name: str) -> Iterator[Path]:
        path = self.reading(name)
        path.mkdir(exist_ok=True)
        before = {inside: file.read_bytes() for inside, file in _files(path).items()}
        yield path
        after = {inside: file.read_bytes() for inside, file in _files(path).items()}
        for inside in before.keys() - after.keys():
            self.remove(f"{name}/{inside}")
        for inside, content in after.items():
            if before.get(inside) != content:
                self.put(f"{name}/{inside}", content)
        shutil.rmtree(path)

    def place(self, name: str) -> str:
        return f"objects {name}"

    def uri(self, name: str) -> str:
        return f"objects://{name}"

    def now(self) -> float:
        return time.time()

    def lease(self, name: str, owner: Owner) -> _ObjectLease | None:
        with self._lock:
            if name in self._leases:
                return None
            nonce = secrets.token_hex(8)
            self._leases[name] = (nonce, owner)
            return _ObjectLease(self._leases, name, nonce)

    def lease_owner(self, name: str) -> Owner | None:
        return self._leases[name][1] if name in self._leases else None

    def lease_silence_s(self, name: str) -> float:
        return 0.0

    def leases(self) -> set[str]:
        return set(self._leases)

    def _object(self, name: str) -> tuple[bytes, float]:
        try:
            return self._objects[name]
        except KeyError:
            raise FileNotFoundError(name) from None

    def _below(self, folder: str) -> tuple[str, ...]:
        return tuple(name for name in self._objects if name.startswith(f"{folder}/"))

    def _new_path(self, name: str) -> Path:
        folder = self._scratch / secrets.token_hex(6)
        folder.mkdir(parents=True)
        return folder / name.rsplit("/", 1)[-1]


class _Appended(io.RawIOBase):
    def __init__(self, store: CopyingStore, name: str):
        self._store, self._name = store, name
        store.add(name, b"")

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._store.add(self._name, bytes(data))
        return len(data)


@dataclass(frozen=True)
class _ObjectLease:
    leases: dict[str, tuple[str, Owner]]
    name: str
    nonce: str

    def is_held(self) -> bool:
        return self.leases.get(self.name, ("",))[0] == self.nonce

    def renew(self) -> bool:
        return self.is_held()

    def release(self) -> None:
        if self.is_held():
            del self.leases[self.name]


def _files(folder: Path) -> dict[str, Path]:
    return {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}


def _is_aside(part: str) -> bool:
    return part.endswith(ASIDE)


@dataclass(frozen=True)
class ContextOf(Context):
    """A worker whose store is another one than a folder."""

    kept_in: Store | None = None

    def store(self, task: TrialTask) -> Store:
        assert self.kept_in is not None
        return self.kept_in
