"""Read from storage how trials have ended."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import assert_never

from orchestrator.state.failures import where
from orchestrator.state.logs import last_lines
from orchestrator.tracking.tracker import Status
from search_spaces.outcomes import FailureKind
from search_spaces.plan import Plan, PlannedTrial
from trainables.storage import layout, tracked_names
from trainables.storage.record_files import read_or_drop
from trainables.storage.records import Failure, TrialResult
from trainables.storage.store import Store

LOG_LINES = 40
"""Last lines of the failing worker's log in `error.txt`."""


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
    failed_attempts: int = 0
    """Attempts that failed, this one included where it is a failure."""

    def follows(self, last_ts: int) -> bool:
        """Say whether this is the ending of the attempt that wrote its last line at a time: an older one is not."""
        slack_ms = 1000 if self.status == "FINISHED" else 0  # its time is a file's, and their clock is coarser
        return self.ts + slack_ms >= last_ts


def read_ending(store: Store, study: str, trial: str) -> Ending | None:
    """Read how a trial has ended; None while it has neither a result nor a failure."""
    endings = []
    aside = len(store.list(layout.trial_attempts(study, trial)))
    result = read_or_drop(store, layout.trial_result(study, trial), TrialResult, "it is not sent")
    if result is not None:
        with suppress(FileNotFoundError):  # another run has set it aside since
            written = int(store.facts(layout.trial_result(study, trial)).modified * 1000)
            spent = result.cost.gpu_seconds
            endings.append(Ending("FINISHED", written, None, result.diverged, result.stages, spent, aside))
    failure = read_or_drop(store, layout.trial_failure(study, trial), Failure, "it is not sent")
    if failure is not None:
        endings.append(Ending(_status(failure.kind), failure.ts, failure=failure, failed_attempts=aside + 1))
    return max(endings, key=lambda ending: ending.ts, default=None)


def _status(kind: FailureKind) -> Status:
    match kind:
        case "killed":
            return "KILLED"
        case "lost" | "preempted" | "hung" | "error" | "memory" | "full" | "damaged":
            return "FAILED"
        case _:
            assert_never(kind)


def ending_tags(ending: Ending, checkpoints: Mapping[str, str], *, is_first: bool) -> dict[str, str]:
    """Return the tags of an ending.

    Args:
        ending: of the trial.
        checkpoints: stage -> URI of its weights; the last one's are evaluated.
        is_first: whether none was recorded before, so that no older tag needs resetting.
    """
    tags = {tracked_names.CHECKPOINT_URI: list(checkpoints.values())[-1]} if checkpoints else {}
    tags |= {tracked_names.FAILED_ATTEMPTS: str(ending.failed_attempts)} if ending.failed_attempts else {}
    if ending.failure is not None:
        failure = ending.failure
        place = {tracked_names.ERROR_WHERE: where(failure), tracked_names.ERROR_LOG: failure.log}
        return tags | place | {tracked_names.ERROR_CLASS: failure.kind, tracked_names.ERROR: failure.message}
    if not is_first:
        none = dict.fromkeys((tracked_names.ERROR, tracked_names.ERROR_WHERE, tracked_names.ERROR_LOG), "")
        tags |= {**none, tracked_names.ERROR_CLASS: "none"}
    diverged = {tracked_names.DIVERGED: "true", tracked_names.ERROR_CLASS: "diverged"}
    return tags | diverged if ending.diverged else tags


def checkpoints_of(trial: PlannedTrial, ending: Ending, plan: Plan, store: Store) -> dict[str, str]:
    """Return stage -> URI of its weights, of a trial that has gone well, as far as they are kept.

    Args:
        trial: of the plan.
        ending: of the trial.
        plan: of the study.
        store: the storage.
    """
    if ending.status != "FINISHED" or ending.diverged:
        return {}
    return {
        node.name: store.uri(layout.stage_folder(key))
        for node, key in zip(trial.stage_nodes(plan), ending.stages, strict=False)
        if store.exists(layout.stage_folder(key))
    }


def error_text(failure: Failure, store: Store) -> str:
    """Write what is known of a failure: message, traceback, and the last lines of the worker's log."""
    log = store.place(failure.log)
    tail = "\n".join(last_lines(store, failure.log, LOG_LINES)) if failure.log else ""
    place = " ".join(part for part in (f"attempt {failure.attempt}" * (failure.attempt > 1), where(failure)) if part)
    parts = [f"{failure.kind}: {failure.message}", place, failure.traceback, f"log: {log}", tail]
    return "\n\n".join(part for part in parts if part) + "\n"
