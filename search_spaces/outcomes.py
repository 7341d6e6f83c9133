"""Events of a trial that runs, shared by those who train it, place its workers and track its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FailureKind = Literal["lost", "preempted", "hung", "error", "memory", "full", "damaged", "killed"]
"""Why an attempt ended before its time. Stored in `failure.json` in these words.

- `lost`: a process is gone, or another run has taken the work over.
- `preempted`: the node of a process was drained, and then taken away.
- `hung`: a process gave no sign for longer than the trial allows, and was ended.
- `error`: the trial's code, data or set-up raised.
- `memory`: a device, a host or a process ran out of memory.
- `full`: the storage, or a disk, had no space left.
- `damaged`: something on storage was not what was written, and another attempt may make it again.
- `killed`: the run was stopped by a signal.
"""


@dataclass(frozen=True, slots=True)
class Started:
    """A process has started the trial."""

    fresh_group: bool
    """Whether its workers have to be started; else it takes over the group of an earlier trial."""


@dataclass(frozen=True, slots=True)
class AwaitsRoom:
    """The trial's process waits for room for its workers, which other programs take."""


@dataclass(frozen=True, slots=True)
class UnitDone:
    """One small unit of work is done: a step, a batch. Small, and safe to lose."""

    node: str
    """Id of the node of the work graph that is being worked on."""
    label: str
    """`finetune`, `evaluate easy-vqa-shape`, `features`: for people."""
    step: int
    """Units done of this node (of this benchmark, while answers are given)."""
    steps: int
    loss: float | None = None
    """None where there is none, and where it is not finite."""
    rate: float | None = None
    """Samples per second."""
    eta_s: float | None = None
    """Seconds left of these steps."""


@dataclass(frozen=True, slots=True)
class NodeDone:
    """A node of the trial's path is done: its result is on storage."""

    node: str


@dataclass(frozen=True, slots=True)
class TrialDone:
    """The whole trial is done: its result is on storage. Nothing comes after this."""


Progress = UnitDone | NodeDone | TrialDone
"""What the loop of a trial yields."""
