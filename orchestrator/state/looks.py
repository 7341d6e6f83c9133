"""Remember every look at the results of a study's hypotheses: who adds seeds until a claim is decided tests it often.

A look is at data. The same seeds with the same scores, seen again by whatever command, are no new look. Looks at one
contrast are looks of every claim about it: another margin does not begin anew. What looks cost is in
`orchestrator.analysis.looks`. Every record is a file of its own, named by its content, so that commands on several
machines may look at the same time: none replaces what another has counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from search_spaces.identity import fingerprint
from trainables.storage import layout
from trainables.storage.record_files import read, write
from trainables.storage.store import Store

LookCommand = Literal["run", "report", "verdicts"]
"""Commands that show verdicts."""


@dataclass(frozen=True)
class Look:
    """A look at the results of one hypothesis."""

    id: str
    """Of the hypothesis."""
    contrast: str
    claim: str
    """Keys of what was looked at (`orchestrator.state.claims.ClaimKey`)."""
    seeds: tuple[int, ...]
    """That all of its arms had."""
    scores: str
    """Digest of the scores of these seeds."""
    verdict: str
    effect: float
    interval: tuple[float, float]
    """After all looks up to this one."""
    p: Mapping[str, float]
    """Statement -> p after all looks up to this one."""
    time: str
    """ISO 8601, UTC."""
    command: LookCommand


@dataclass(frozen=True)
class LookRecord:
    """Looks that one command took, `studies/<study>/looks/<digest>.json`."""

    looks: tuple[Look, ...]


def read_looks(store: Store, study: str) -> dict[str, list[Look]]:
    """Read all looks at a study, by contrast, oldest first."""
    records = (read(store, name, LookRecord) for name in store.list(layout.looks_folder(study)))
    looks = [look for record in records if record is not None for look in record.looks]
    by_contrast: dict[str, list[Look]] = {}
    for look in sorted(looks, key=lambda look: (look.time, len(look.seeds), look.id)):
        by_contrast.setdefault(look.contrast, []).append(look)
    return by_contrast


def looks_of(claim: str, looks: Sequence[Look]) -> tuple[Look, ...]:
    """Select the looks at a contrast, one for each state of its scores: that of this claim, else the first.

    Args:
        claim: key of the claim.
        looks: at its contrast.
    """
    chosen: dict[str, Look] = {}
    for look in looks:
        kept = chosen.setdefault(look.scores, look)
        if kept.claim != claim and look.claim == claim:
            chosen[look.scores] = look
    return tuple(chosen.values())


def write_looks(store: Store, study: str, looks: Sequence[Look]) -> None:
    """Write down looks that storage does not have.

    Raises:
        OSError: if storage cannot be written to.
    """
    if looks:
        digest = fingerprint([[look.claim, look.scores, look.time] for look in looks])
        write(store, layout.looks_file(study, digest[:16]), LookRecord(tuple(looks)))
