"""Name the kinds of files of a storage, and the ways in which one is damaged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

KINDS: dict[str, str] = {
    "digests": r"digests\.json",
    "facts of encoders": r"encoders\.json",
    "facts of language models": r"languages\.json",
    "checked weights": r"checked-weights\.json",
    "checked questions": r"checked-questions\.json",
    "manifest of prepared data": r"data/\w+/result\.json",
    "prepared records": r"data/\w+/records\.arrow",
    "list of images": r"data/\w+/images\.arrow",
    "pictures": r"pictures/\w+/bytes\.arrow",
    "places of pictures": r"pictures/\w+/places\.arrow",
    "features": r"features/\w+/features\.npy",
    "digests of features": r"features/\w+/rows\.sha256",
    "result of features": r"features/\w+/result\.json",
    "weights": r"stages/\w+/language\.safetensors",
    "weights trained further": r"stages/\w+/projector\.safetensors",
    "result of a stage": r"stages/\w+/result\.json",
    "curve": r"stages/\w+/curve\.json",
    "scores per example": r"evaluations/\w+/[\w-]+\.parquet",
    "result of an evaluation": r"evaluations/\w+/[\w-]+\.json",
    "result of a trial": r"studies/\w+/trials/[\w-]+/result\.json",
    "task of a trial": r"studies/\w+/trials/[\w-]+/task\.json",
    "spool": r"studies/\w+/trials/[\w-]+/spool\.jsonl",
    "hypotheses": r"studies/\w+/claims/\w+\.json",
    "looks": r"studies/\w+/looks/\w+\.json",
    "study": r"studies/\w+/study\.yaml",
    "plan": r"studies/\w+/plan\.json",
    "failure": r"studies/\w+/trials/[\w-]+/failure\.json",
    "failed attempt": r"studies/\w+/trials/[\w-]+/attempts/\d+\.json",
    "record of resumes": r"studies/\w+/trials/[\w-]+/resumes\.json",
    "manifest of a checkpoint": r"stages/\w+/checkpoints/[\w-]+/manifest\.json",
    "step checkpoint": r"stages/\w+/checkpoints/[\w-]+/(?!manifest\.json)[\w./-]+",
    "run": r"runs/\w+/\w+/run\.json",
    "request to stop": r"runs/\w+/\w+/stop\.json",
    "lease of a trial": r"leases/trials/\w+/[\w-]+/\w+\.json",
    "lease of a run": r"leases/runs/\w+/\w+/\w+\.json",
    "rehearsal": r"rehearsals/\w+\.json",
    "tracking database": r"tracking/mlflow\.db",
    "upload offset": r"tracking/offsets/\w+/\w+/[\w-]+\.json",
    "name of the storage": r"tracking/storage-id",
    "copy of its name": r"tracking/storage-id\.copy",
}
"""Kind -> pattern of the file's name on storage."""

NOT_READ = (
    r"studies/\w+/trials/[\w-]+/(rank-\d+\.log|spec\.json)",
    r"tracking/(storage-id|\.embedded|\.?mlflow\.db)\.lock",
    r"tracking/\.embedded\.created",
    r"studies/\w+/ray\.log",
    r"studies/\w+/superseded/.+",
    r"sources/.+",
    r"tracking/(artifacts|unclosed-runs)/.+",
)
"""Patterns of files that no command reads, or of which it only matters whether they are others than before."""

NOT_TRIED = {
    r"text-lengths\.json": "lengths of texts, which `ablate data stats` writes",
    r"(stages|features|evaluations|data|pictures)/\w+/damaged\.json": "marks of damage",
    r"studies/\w+/finished\.json": "the record of finished trials, of studies of 200 trials and more",
    r"studies/\w+/report\.json": "the kept report, of studies of 10 trials and more",
    r"studies/\w+/noise\.json": "the noise floor, which `ablate noise` writes",
    r"studies/\w+/added-seeds\.json": "added seeds, of `--until-decided`",
    r"studies/\w+/smaller-batches/\w+\.json": "smaller batches, learned where memory ran out",
    r"studies/\w+/trials/[\w-]+/tried-again\.json": "what was tried again of trials that failed",
    r"studies/\w+/superseded/[\w-]+/(task|result)\.json": "trials that were superseded",
}
"""Pattern of the name of a record that is not damaged here, most as the small study does not have it -> what it is."""

Damaging = Callable[[bytes], bytes | None]

DAMAGES: dict[str, Damaging] = {
    "0 bytes": lambda content: b"",
    "garbage": lambda content: (b"\x93NUMPY\x00\xff\xfe" * (len(content) // 9 + 1))[: max(len(content), 9)],
    "one bit": lambda content: flipped(content, 6 * len(content) // 10),
    "absent": lambda content: None,
    "half": lambda content: content[: len(content) // 2],
}
"""Way of damaging a file -> its content afterwards; None if it is gone. Garbage has the size of what it replaces."""


def flipped(content: bytes, at: int) -> bytes:
    """Change one bit of a content."""
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def files(storage: Path) -> Iterator[str]:
    """List all files of a storage but those that are being written or were set aside."""
    for path in sorted(storage.rglob("*")):
        name = path.relative_to(storage)
        if path.is_file() and not any(part.endswith(".aside") for part in name.parts):
            yield str(name)


def kind_of(name: str) -> str | None:
    """Name the kind of a file; None if no command reads it.

    Raises:
        ValueError: the file is of no kind that is known.
    """
    if any(re.fullmatch(pattern, name) for pattern in NOT_READ):
        return None
    kinds = [kind for kind, pattern in KINDS.items() if re.fullmatch(pattern, name)]
    if len(kinds) != 1:
        raise ValueError(f"a file must be of one kind, but {name} is of {kinds}")
    return kinds[0]


def damage(path: Path, way: str) -> None:
    """Damage a file in one way."""
    content = DAMAGES[way](path.read_bytes())
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
