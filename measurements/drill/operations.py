"""Read the log of file operations, and name the place of each: the kind of file, and what was done to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

Operation = Literal["C", "T", "O", "W", "S", "M", "F", "D", "R", "L", "K", "U", "X", "N"]
"""As `interpose.c` writes them."""

WORDS: dict[Operation, str] = {
    "C": "create",
    "T": "create",
    "O": "open",
    "W": "write",
    "S": "resize",
    "M": "map",
    "F": "flush",
    "D": "flush folder",
    "R": "rename",
    "L": "link",
    "K": "link",
    "U": "remove",
    "X": "remove folder",
    "N": "make folder",
}

HIT = "!"
"""Written instead of an operation's letter just before it is disturbed."""

FILE_KINDS: dict[str, str] = {
    "features": r"^features($|/[^/]*($|/[^/]*features\.npy))",
    "features result": r"^features/.*result\.json",
    "checkpoint manifest": r"^stages/[^/]*/checkpoints/.*manifest\.json",
    "checkpoint state": r"^stages/[^/]*/checkpoints/[^/]*/",
    "checkpoint folder": r"^stages/[^/]*/checkpoints($|/[^/]*$)",
    "stage weights": r"^stages/[^/]*/\.?((vision|projector|language)\.safetensors|tmp[^/]*$)",
    "stage curve": r"^stages/[^/]*/[^/]*curve\.json",
    "stage result": r"^stages($|/[^/]*($|/[^/]*result\.json))",
    "answers": r"^evaluations/[^/]*/[^/]*\.answers",
    "scores per example": r"^evaluations/[^/]*/[^/]*\.parquet",
    "evaluation result": r"^evaluations($|/[^/]*($|/[^/]*\.json))",
    "spool": r"^studies/.*(spool|node-[0-9]+)\.jsonl",
    "worker log": r"^studies/.*rank-[0-9]+\.log",
    "task": r"^studies/.*task\.json",
    "failure": r"^studies/.*failure\.json",
    "trial result": r"^studies($|/[^/]*($|/trials($|/[^/]*($|/[^/]*result\.json))))",
    "study documents": r"^studies/[^/]*/([^/]*(plan\.json|study\.yaml|noise\.json|seeds\.json)|ray\.log|claims|looks)",
    "lease": r"^leases",
    "scratch": r"^scratch",
    "prepared data": r"^(data|pictures|preparing|problems)",
    "caches": r"^[^/]*(digests|encoders|languages|checked-weights|checked-questions|text-lengths)[^/]*\.json",
    "tracking database": r"^tracking($|/[^/]*$|/[^/]*mlflow\.db)",
    "tracking artifacts": r"^tracking/.*artifacts/",
    "upload offsets": r"^tracking/offsets",
}
"""Kind of file -> POSIX extended regular expression on its path below the storage; the first that matches holds."""

OTHER = "other"
_PATTERNS = {kind: re.compile(pattern) for kind, pattern in FILE_KINDS.items()}


class Place(NamedTuple):
    """Kind of file and of operation."""

    file: str
    operation: str

    def __str__(self) -> str:
        return f"{self.file}: {self.operation}"


class Record(NamedTuple):
    """A line of the log."""

    number: int
    process: int
    role: str
    operation: str
    """Letter, or HIT."""
    error: int
    """errno; 0 where it was done. Of HIT, the number of the action."""
    inode: int
    size: int
    """Bytes written or the new length; of HIT, the letter's code."""
    path: str
    second: str

    @property
    def disturbed(self) -> str:
        """Letter of the operation; of HIT, of the one that was disturbed."""
        return chr(self.size) if self.operation == HIT else self.operation

    @property
    def place(self) -> Place:
        """Name the place of the operation; of HIT, of the one that was disturbed."""
        return Place(kind_of(self.second or self.path), WORDS[self.disturbed])  # type: ignore[index]


def read_log(log: Path) -> Iterator[Record]:
    """Read the records of a log in their order; nothing where there is no log."""
    if not log.exists():
        return
    with log.open() as file:
        for line in file:
            number, process, role, operation, error, inode, size, path, second = line.rstrip("\n").split("\t")
            yield Record(int(number), int(process), role, operation, int(error), int(inode), int(size), path, second)


def kind_of(path: str) -> str:
    """Name the kind of a file by its path below the storage."""
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.search(path)), OTHER)
