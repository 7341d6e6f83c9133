"""Tell by its name what a file below the storage root is. Every file has exactly one class.

The names are those of `trainables.storage.layout`, with a star for what varies; a file that no pattern fits is not this
program's, and nothing touches it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Literal

from search_spaces.names import PART_FORM
from trainables.storage import layout
from trainables.storage.store import ASIDE

FileClass = Literal[
    "results",
    "weights",
    "checkpoints",
    "progress",
    "features",
    "data",
    "pictures",
    "evaluations",
    "answers",
    "studies",
    "trials",
    "spools",
    "runs",
    "logs",
    "superseded",
    "leases",
    "scratch",
    "preparing",
    "asides",
    "tracking",
    "caches",
    "sources",
    "unknown",
]

_ALL = "**"
"""Any file at any depth, and the folder itself."""

PATTERNS: Mapping[FileClass, tuple[str, ...]] = {
    "progress": (),  # `_PROGRESS` tells it
    "asides": (),  # `aside_of` tells them, wherever they lie
    "results": (
        layout.stage_result("*"),
        layout.stage_curve("*"),
        layout.features_result("*"),
        *(layout.damage_mark(f"{folder}/*") for folder in ("stages", "features", "data", "pictures")),
    ),
    "weights": (layout.module_weights(layout.stage_folder("*"), "*"),),
    "checkpoints": (f"{layout.checkpoints('*')}/{_ALL}",),
    "features": (layout.features_array("*"), layout.features_rows("*")),
    "data": (layout.data_result("*"), layout.data_records("*"), layout.data_images("*")),
    "pictures": (layout.pictures_bytes("*"), layout.pictures_places("*")),
    "answers": (f"{layout.evaluation_answers('*', '*')}/{_ALL}",),
    "evaluations": (layout.evaluation_result("*", "*"), layout.evaluation_examples("*", "*")),
    "studies": (
        layout.study_file("*"),
        layout.plan_file("*"),
        layout.noise_floor("*"),
        layout.added_seeds("*"),
        layout.claims_file("*", "*"),
        layout.looks_file("*", "*"),
        layout.smaller_batch("*", "*"),
    ),
    "spools": (layout.spool("*", "*"), f"{layout.trial_folder('*', '*')}/node-*.jsonl"),
    "runs": (layout.run_record("*", "*"), layout.stop_request("*", "*")),
    "logs": (
        f"{layout.trial_folder('*', '*')}/*.log",
        f"{layout.failed_rehearsal('*', '*')}/{_ALL}",
        layout.driver_log("*"),
    ),
    "trials": (f"{layout.trial_folder('*', '*')}/*.json", f"{layout.trial_attempts('*', '*')}/*.json"),
    "superseded": (f"{layout.superseded_trials('*')}/*/{_ALL}",),
    "leases": (f"{layout.LEASES}/{_ALL}",),
    "scratch": (f"{layout.scratch('*')}/{_ALL}",),
    "preparing": (f"{layout.PREPARING}/*/{_ALL}",),
    "tracking": (f"{layout.TRACKING}/{_ALL}",),
    "caches": (
        layout.DIGESTS,
        layout.ENCODERS,
        layout.LANGUAGES,
        layout.CHECKED_WEIGHTS,
        layout.CHECKED_QUESTIONS,
        layout.TEXT_LENGTHS,
        layout.data_problems("*"),
        layout.kept_report("*"),
        layout.finished_trials("*"),
        layout.rehearsal("*"),
    ),
    "sources": (f"{layout.SOURCES}/{_ALL}",),
    "unknown": (),
}
"""Class -> names of its files; the first class that fits counts."""

UNIT_DEPTHS: Mapping[FileClass, int | None] = {
    "asides": None,
    "results": 2,
    "weights": 2,
    "checkpoints": 3,
    "progress": 2,
    "features": 2,
    "data": 2,
    "pictures": 2,
    "answers": 3,
    "evaluations": 2,
    "studies": 2,
    "spools": 4,
    "runs": 2,
    "logs": 4,
    "trials": 4,
    "superseded": 4,
    "leases": None,
    "scratch": 2,
    "preparing": 2,
    "tracking": 1,
    "caches": 2,
    "sources": 1,
    "unknown": 2,
}
"""Class -> parts of the name of the folder that is made and removed as one; None where names tell it."""


_STARS = re.compile(r"(?P<all>/\*\*)|(?P<folder>(?<=/)\*(?=/))|\*")
_EXPRESSIONS: Mapping[str | None, str] = {"all": "(?:/.+)?", "folder": PART_FORM, None: "[^/]+"}
"""A folder that this program has not named is not its own, whatever lies in it: a copy by hand, an editor's."""


def _expression(pattern: str) -> str:
    text = re.escape(pattern).replace(re.escape("*"), "*")
    return _STARS.sub(lambda star: _EXPRESSIONS[star.lastgroup], text)


_CLASS_OF = re.compile(
    "|".join(f"(?P<{name}>{'|'.join(map(_expression, patterns))})" for name, patterns in PATTERNS.items() if patterns),
    re.DOTALL,
)
_CLASSES = {str(name): name for name in PATTERNS}


_PROGRESS = re.compile(
    re.escape(layout.features_aside("*")).replace(re.escape("*"), "[0-9a-f]{64}") + "(?:/.+)?", re.DOTALL
)
"""Features that are being computed: a killed process has left what the next one goes on from."""


def file_class(name: str) -> FileClass:
    """Tell what a file is, or an empty folder, by its name relative to the storage root."""
    if _PROGRESS.fullmatch(name):
        return "progress"
    if not name.startswith(f"{layout.SOURCES}/") and aside_of(name) is not None:
        return "asides"
    match = _CLASS_OF.fullmatch(name)
    return "unknown" if match is None or match.lastgroup is None else _CLASSES[match.lastgroup]


def aside_of(name: str) -> str | None:
    """Name the file or folder that was being written when its writer was killed, of a file that belongs to it.

    That is what this program writes aside, and what safetensors does beside the file of weights that it writes.
    """
    parts = name.split("/")
    for depth, part in enumerate(parts, 1):
        if part.endswith(ASIDE) or (part.startswith(".tmp") and depth == len(parts) and parts[0] == "stages"):
            return "/".join(parts[:depth])
    return None


def unit_of(name: str, kind: FileClass) -> str:
    """Name the file or folder that is made and removed as one, of a file that belongs to it.

    Args:
        name: of the file.
        kind: its class.
    """
    if kind == "asides":
        return aside_of(name) or name
    if kind == "leases":
        return str(PurePosixPath(name).parent) if name.endswith(".json") else name
    return _first_parts(name, UNIT_DEPTHS[kind] or 1)


@lru_cache(maxsize=64)
def _counter(depth: int) -> re.Pattern[str]:
    return re.compile("/".join(["[^/]+"] * depth), re.DOTALL)


def _first_parts(name: str, depth: int) -> str:
    match = _counter(depth).match(name)
    return name if match is None else match.group()
