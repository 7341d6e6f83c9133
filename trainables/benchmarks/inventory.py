"""Check which parts of a benchmark are there: files with digests, examples against the known totals, images."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from search_spaces.errors import InputError
from search_spaces.regular_files import open_regular
from trainables.benchmarks.best_reachable import best_reachable
from trainables.benchmarks.contract import Benchmark, Example
from trainables.benchmarks.files.reference_files import find_files, matching

IMAGES = "images"
"""Folder of images inside a benchmark's folder."""
_SHOWN = 3
_DIGESTED_FILES = 8
"""Sets of thousands of files (AI2D's questions) get one digest over all of them."""


@dataclass(frozen=True)
class InventoryFile:
    """File that a benchmark reads, with the paths and digest of what is there."""

    role: str
    wanted: tuple[str, ...]
    published: str
    required: bool
    paths: tuple[str, ...]
    sha256: str | None
    """Over the file, or over the sorted names and contents of several."""


@dataclass(frozen=True)
class Checked:
    """Outcome of the check of a benchmark's folder."""

    benchmark: str
    folder: str
    state: Literal["complete", "incomplete", "absent", "unreadable"]
    """`incomplete`: fewer or more examples than are published, or images are missing."""
    files: tuple[InventoryFile, ...]
    n: int = 0
    known: tuple[int, ...] = ()
    images: int = 0
    missing_images: tuple[str, ...] = field(default=(), repr=False)
    best_reachable: dict[str, float] = field(default_factory=dict)
    """Protocol -> what a perfect model gets in its headline metric on these references."""
    examples: tuple[dict[str, Any], ...] = ()
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "missing_images": len(self.missing_images)}


def check_benchmark(benchmark: Benchmark, folder: Path) -> Checked:
    """Check one benchmark's folder. Problems are returned, never raised."""
    files = tuple(_inventory_file(benchmark, number, folder) for number in range(len(benchmark.files)))
    place, known = str(folder), benchmark.totals.examples
    if not folder.is_dir() or (not any(file.paths for file in files) and not list(folder.iterdir())):
        return Checked(benchmark.id, place, "absent", files, known=known)
    try:
        examples = benchmark.examples(find_files(benchmark.id, benchmark.files, [folder]))
    except InputError as error:
        return Checked(benchmark.id, place, "unreadable", files, known=known, problem=str(error))
    keys = dict.fromkeys(example.image for example in examples if example.image is not None)
    missing = tuple(key for key in keys if not (folder / IMAGES / key).is_file())
    complete = (not known or len(examples) in known) and not missing
    return Checked(
        benchmark.id,
        place,
        "complete" if complete else "incomplete",
        files,
        len(examples),
        known,
        len(keys),
        missing,
        {name: best_reachable(protocol, examples)[protocol.headline] for name, protocol in benchmark.protocols.items()},
        _samples(examples),
    )


def _samples(examples: Sequence[Example]) -> tuple[dict[str, Any], ...]:
    """Pick a few examples from all over the set."""
    step = max(1, len(examples) // _SHOWN)
    return tuple(
        {"id": e.id, "image": e.image, "question": e.question, "options": list(e.options), "reference": e.reference}
        for e in examples[::step][:_SHOWN]
    )


def _inventory_file(benchmark: Benchmark, number: int, folder: Path) -> InventoryFile:
    wanted = benchmark.files[number]
    paths = matching(folder, wanted) if folder.is_dir() else []
    return InventoryFile(
        wanted.role,
        wanted.patterns,
        wanted.published,
        wanted.required,
        tuple(str(path) for path in paths[:_DIGESTED_FILES]),
        _sha256(paths, folder) if paths else None,
    )


def _sha256(paths: Sequence[Path], folder: Path) -> str:
    whole = hashlib.sha256()
    for path in paths:
        with open_regular(path) as file:
            digest = hashlib.file_digest(file, "sha256")
        if len(paths) == 1:
            return digest.hexdigest()
        whole.update(f"{path.relative_to(folder).as_posix()}\0{digest.hexdigest()}\n".encode())
    return whole.hexdigest()
