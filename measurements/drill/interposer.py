"""Compile the library that logs and disturbs file operations (`interpose.c`), and write the control file it obeys."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import mmap
import os
import shutil
import signal
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from search_spaces.errors import InputError

SOURCE = Path(__file__).with_name("interpose.c")

Action = Literal["nothing", "kill", "half", "fail once", "fail on", "hold"]
"""What is done at the chosen operation; in the order of `enum action`."""

_COUNTERS = struct.Struct("<QQIIIIII")
_TEXTS = struct.Struct("32s32s32s512s1024s1024s1024s")
_LOCK_BYTES = 128
_COUNTDOWN, _HIT, _RELEASED = _LOCK_BYTES + 8, _LOCK_BYTES + 28, _LOCK_BYTES + 32
"""Offsets of fields of `struct control`."""
SIZE = _LOCK_BYTES + _COUNTERS.size + _TEXTS.size


FAILING = {"ENOSPC": "CTWSNL", "EACCES": "CTONRLUX", "EIO": "WSFD"}
"""Errno -> letters of the operations that fail with it: what takes space, what changes names, what reaches the disk."""


@dataclass(frozen=True)
class Choice:
    """The operation that is disturbed: the n-th of those that match."""

    operations: str
    """Letters of operations (`measurements.drill.operations.Operation`)."""
    pattern: str
    """POSIX extended regular expression on the path below the storage; empty for any."""
    nth: int = 1
    """0: none, until the control is told to `count`."""
    role: str = ""
    """Of the process; empty for any."""


@dataclass(frozen=True)
class Disturbance:
    """What is done at which operation."""

    action: Action = "nothing"
    choice: Choice = Choice("", "", 0)
    error: str = ""
    """Name of the errno of a failure, such as ENOSPC."""
    signal: int = signal.SIGKILL


def compiled(folder: Path) -> Path:
    """Compile the library into a folder, unless it is there, and return its path.

    Raises:
        InputError: there is no C compiler, or it refuses the source.
    """
    content = SOURCE.read_bytes()
    library = folder / f"interpose-{hashlib.sha256(content).hexdigest()[:12]}.so"
    if library.exists():
        return library
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise InputError(
            "must be there to compile the library that disturbs file operations, but it is not",
            key=os.environ.get("CC", "cc"),
            way_out="Install a C compiler (`apt-get install gcc`), or name one by CC.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f"{library.name}.{os.getpid()}"
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(aside), str(SOURCE), "-ldl", "-pthread"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise InputError(f"must compile, but {compiler} says: {result.stderr.strip()}", place=str(SOURCE))
    aside.rename(library)
    return library


class Control:
    """Control file of one command: what is disturbed, and where operations are logged.

    Args:
        folder: an existing folder outside of the storage; the file and the log are made there.
        root: the storage.
        disturbance: what is done at which operation.
        library: the compiled library.
        with_shadows: keep copies of what flushes make durable.
    """

    def __init__(
        self, folder: Path, root: Path, disturbance: Disturbance, library: Path, *, with_shadows: bool = False
    ):
        self.path, self.log, self.shadows = folder / "control", folder / "operations.tsv", folder / "shadows"
        self.log.unlink(missing_ok=True)
        shutil.rmtree(self.shadows, ignore_errors=True)
        if with_shadows:
            self.shadows.mkdir()
        choice = disturbance.choice
        counters = _COUNTERS.pack(
            0,
            choice.nth,
            get_args(Action).index(disturbance.action),
            getattr(errno, disturbance.error) if disturbance.error else 0,
            disturbance.signal,
            0,
            0,
            0,
        )
        failing = FAILING.get(disturbance.error, "")
        texts = (choice.operations, failing, choice.role, choice.pattern, str(root.resolve()), str(self.log))
        shadows = str(self.shadows) if with_shadows else ""
        packed = _TEXTS.pack(*(text.encode() for text in (*texts, shadows)))
        self.path.write_bytes(bytes(_LOCK_BYTES) + counters + packed)
        loaded = ctypes.CDLL(str(library))
        if loaded.drill_size() != SIZE or not loaded.drill_prepare(str(self.path).encode()):
            raise RuntimeError(f"{library} does not take the control file {self.path} of {SIZE} bytes")
        with self.path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SIZE)

    @property
    def is_hit(self) -> bool:
        """Whether the chosen operation has come."""
        return bool(self._map[_HIT])

    def count(self, nth: int) -> None:
        """Disturb the n-th of the operations that match from now on."""
        struct.pack_into("<Q", self._map, _COUNTDOWN, nth)

    def release(self) -> None:
        """Let operations go on that are held."""
        self._map[_RELEASED] = 1

    def environment(self, library: Path, role: str) -> dict[str, str]:
        """Make the variables by which a process and its children take part from their start."""
        return {"LD_PRELOAD": str(library), "DRILL_CONTROL": str(self.path), "DRILL_ROLE": role}


def attach(library: Path, control: Path, role: str) -> None:
    """Let this process, into which the library was preloaded, take part under a role."""
    loaded = ctypes.CDLL(str(library))
    if not loaded.drill_attach(str(control).encode(), role.encode()):
        raise RuntimeError(f"{control} is no control file that can be used")
