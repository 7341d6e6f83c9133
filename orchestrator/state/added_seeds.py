"""Remember the seeds that `ablate run --until-decided` has added to a study on this storage.

The study file stays as its author wrote it. Every command that plans the study on this storage plans the trials of
added seeds as well, so that status, report and verdicts show them. A step is written before its trials start: a run
that was killed finds it, and goes on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from trainables.storage import layout
from trainables.storage.record_files import read, write
from trainables.storage.store import Store


@dataclass(frozen=True)
class SeedStep:
    """Seeds that were added together, before one look at the verdicts."""

    hypotheses: tuple[str, ...]
    """Ids of those that were open and got seeds, widest interval first."""
    seeds: Mapping[str, tuple[int, ...]]
    """Arm -> numbers of its new replicates."""


@dataclass(frozen=True)
class AddedSeeds:
    """All that was added so far, `studies/<study>/added-seeds.json`."""

    gpu_seconds_before: float
    """That the study had cost before seeds were added for the first time: the cap is on what came after."""
    steps: tuple[SeedStep, ...] = ()
    """Oldest first."""

    @property
    def by_arm(self) -> dict[str, tuple[int, ...]]:
        """Arm -> numbers of all replicates that were added to it."""
        seeds: dict[str, tuple[int, ...]] = {}
        for step in self.steps:
            for arm, numbers in step.seeds.items():
                seeds[arm] = (*seeds.get(arm, ()), *(n for n in numbers if n not in seeds.get(arm, ())))
        return seeds

    def with_step(self, step: SeedStep) -> AddedSeeds:
        """Append a step."""
        return replace(self, steps=(*self.steps, step))


def read_added(store: Store, study: str) -> AddedSeeds | None:
    """Read what was added to a study; None where `--until-decided` was never used.

    Raises:
        InputError: the record is damaged.
    """
    return read(store, layout.added_seeds(study), AddedSeeds)


def write_added(store: Store, study: str, added: AddedSeeds) -> None:
    """Write what was added to a study, whole or not at all."""
    write(store, layout.added_seeds(study), added)
