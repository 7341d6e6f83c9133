"""Say in words what a run's rehearsals do, and what they showed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestrator.running.rehearsals import PlannedRehearsal, RehearsalOutcome
from search_spaces.error_text import first_line
from search_spaces.quantities import bytes_text, number_of
from trainables.storage.records import Failure, Rehearsal, StageRehearsal


def began(planned: Sequence[PlannedRehearsal]) -> str:
    """Say that a run begins with rehearsals."""
    trials = number_of(sum(len(each.trials) for each in planned), "trial")
    return f"rehearsing {number_of(len(planned), 'shape')} of {trials} first, the cheapest first"


def went_on(planned: PlannedRehearsal, failure: Failure) -> str:
    """Say that a rehearsal is tried again, and what it does differently then."""
    then = failure.remedy or "it is tried again"
    return f"rehearsal of {planned.arm}: {failure.kind}: {first_line(failure.message)}; {then}"


def ended(outcome: RehearsalOutcome, place: Callable[[str], str]) -> str:
    """Say what a rehearsal showed, or why its trials are not started.

    Args:
        outcome: of the rehearsal.
        place: tells where a person finds a file of the storage.
    """
    planned, failure = outcome.planned, outcome.failure
    if failure is not None:
        where = [f"rank {failure.rank}"] if failure.rank is not None else []
        where += [failure.host] if failure.host else []
        return (
            f"rehearsal of {planned.arm} FAILED ({', '.join([failure.kind, *filter(None, [' on '.join(where)])])}):"
            f" {first_line(failure.message)}\n    its {number_of(len(planned.trials), 'trial')} will not be started;"
            f" log: {place(failure.log)}"
        )
    if outcome.record is None:
        return f"rehearsed {planned.arm} ({number_of(len(planned.trials), 'trial')})"
    record = outcome.record
    shown = "; ".join([*map(_stage, record.stages), _questions(record)])
    return f"rehearsed {planned.arm} ({number_of(len(planned.trials), 'trial')}) in {record.seconds:.1f} s: {shown}"


def _stage(stage: StageRehearsal) -> str:
    checkpoint = (
        f"checkpoint of {bytes_text(stage.checkpoint_bytes)} saved in {stage.save_seconds:.1f} s and read back equal"
    )
    return f"{stage.name}: 2 steps, {checkpoint}{_memory(stage.peak_bytes, stage.expected_bytes)}"


def _memory(peak_bytes: int | None, expected_bytes: int | None) -> str:
    if peak_bytes is None:
        return ""
    planned = "" if expected_bytes is None else f" (planned {bytes_text(expected_bytes)})"
    return f", peak {bytes_text(peak_bytes)}{planned}"


def _questions(record: Rehearsal) -> str:
    total = number_of(sum(record.questions.values()), "question")
    return f"{total} of {number_of(len(record.questions), 'evaluation set')}"
