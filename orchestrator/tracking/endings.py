"""Read from storage how trials have ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from orchestrator.tracking.tracker import Status
from search_spaces.outcomes import FailureKind
from trainables.storage import layout, tracked_names
from trainables.storage.record_files import read
from trainables.storage.records import Failure, TrialResult
from trainables.storage.store import Store


@dataclass(frozen=True)
class Ending:
    """How a trial ended, as storage says; the newer one where there are a result and a failure."""

    status: Status
    ts: int
    """When, in milliseconds since the epoch."""
    failure: Failure | None = None
    diverged: bool = False
    stages: tuple[str, ...] = ()
    """Keys of its stages, where it has a result."""
    gpu_seconds: float = 0.0


def read_ending(store: Store, study: str, trial: str) -> Ending | None:
    """Read how a trial has ended; None while it has neither a result nor a failure."""
    endings = []
    result = read(store, layout.trial_result(study, trial), TrialResult)
    if result is not None:
        written = int(store.facts(layout.trial_result(study, trial)).modified * 1000)
        endings.append(Ending("FINISHED", written, None, result.diverged, result.stages, result.cost.gpu_seconds))
    failure = read(store, layout.trial_failure(study, trial), Failure)
    if failure is not None:
        endings.append(Ending(_status(failure.kind), failure.ts, failure=failure))
    return max(endings, key=lambda ending: ending.ts, default=None)


def _status(kind: FailureKind) -> Status:
    match kind:
        case "killed":
            return "KILLED"
        case "lost" | "hung" | "error" | "memory":
            return "FAILED"
        case _:
            assert_never(kind)


def ending_tags(ending: Ending, *, is_first: bool) -> dict[str, str]:
    """Return the tags of an ending. `is_first`: none was recorded before, so that no older tag needs resetting."""
    if ending.failure is not None:
        return {tracked_names.ERROR_CLASS: ending.failure.kind, tracked_names.ERROR: ending.failure.message}
    if ending.diverged:
        return {tracked_names.DIVERGED: "true", tracked_names.ERROR_CLASS: "diverged"}
    return {} if is_first else {tracked_names.ERROR_CLASS: "none", tracked_names.ERROR: ""}
