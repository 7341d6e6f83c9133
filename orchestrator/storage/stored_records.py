"""Say of every record on storage which type it is read as, and what a damaged one leads to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from orchestrator.planning.encoder_probe import KnownEncoders
from orchestrator.planning.language_memory import KnownLanguages
from orchestrator.planning.question_checks import CheckedQuestions
from orchestrator.planning.text_lengths import KnownTextLengths
from orchestrator.planning.weights_check import CheckedWeights
from orchestrator.state.added_seeds import AddedSeeds
from orchestrator.state.claims import ClaimRecord
from orchestrator.state.finished_trials import FinishedTrials
from orchestrator.state.looks import LookRecord
from orchestrator.state.noise_floor import NoiseFloor
from orchestrator.storage.references import StoredPlan
from orchestrator.tracking.upload_cursor import UploadCursor
from trainables.storage import layout
from trainables.storage.records import (
    Attempt,
    Curve,
    DamageMark,
    DigestCache,
    Failure,
    Rehearsal,
    Resumes,
    RunRecord,
    SmallerBatch,
    StopRequest,
    TrialResult,
    TriedAgain,
)

Remedy = Literal["run", "itself", "hand", "tracking"]
"""Who mends it: the next run of the study, the next command that needs it, or a person."""

REMEDIES: Mapping[Remedy, str] = {
    "run": "run the study again: what it needs of this is made anew, everything else is kept",
    "itself": "nothing is to be done: it is made again by the next command that needs it",
    "hand": "remove the file, or put a copy back, and run the study again; everything else is kept",
    "tracking": "move it away and run `ablate sync`: it is written anew from what storage keeps of every trial",
}


class StoredRecord(NamedTuple):
    """How a record is read."""

    kind: type
    remedy: Remedy


RECORDS: Mapping[str, StoredRecord] = {
    layout.stage_curve("*"): StoredRecord(Curve, "itself"),
    **{
        layout.damage_mark(f"{folder}/*"): StoredRecord(DamageMark, "itself")
        for folder in ("stages", "features", "evaluations", "data", "pictures")
    },
    layout.plan_file("*"): StoredRecord(StoredPlan, "hand"),
    layout.noise_floor("*"): StoredRecord(NoiseFloor, "itself"),
    layout.finished_trials("*"): StoredRecord(FinishedTrials, "run"),
    layout.added_seeds("*"): StoredRecord(AddedSeeds, "hand"),
    layout.claims_file("*", "*"): StoredRecord(ClaimRecord, "hand"),
    layout.looks_file("*", "*"): StoredRecord(LookRecord, "hand"),
    layout.smaller_batch("*", "*"): StoredRecord(SmallerBatch, "itself"),
    layout.run_record("*", "*"): StoredRecord(RunRecord, "itself"),
    layout.stop_request("*", "*"): StoredRecord(StopRequest, "itself"),
    layout.tried_again("*", "*"): StoredRecord(TriedAgain, "itself"),
    layout.trial_task("*", "*"): StoredRecord(Attempt, "run"),
    layout.trial_result("*", "*"): StoredRecord(TrialResult, "run"),
    layout.trial_failure("*", "*"): StoredRecord(Failure, "run"),
    layout.trial_resumes("*", "*"): StoredRecord(Resumes, "itself"),
    f"{layout.trial_attempts('*', '*')}/*.json": StoredRecord(Failure, "itself"),
    layout.task_in(layout.superseded_trials("*") + "/*"): StoredRecord(Attempt, "hand"),
    layout.result_in(layout.superseded_trials("*") + "/*"): StoredRecord(TrialResult, "hand"),
    layout.upload_offset("*", "*", "*"): StoredRecord(UploadCursor, "itself"),
    layout.rehearsal("*"): StoredRecord(Rehearsal, "itself"),
    layout.DIGESTS: StoredRecord(DigestCache, "itself"),
    layout.ENCODERS: StoredRecord(KnownEncoders, "itself"),
    layout.LANGUAGES: StoredRecord(KnownLanguages, "itself"),
    layout.CHECKED_WEIGHTS: StoredRecord(CheckedWeights, "itself"),
    layout.CHECKED_QUESTIONS: StoredRecord(CheckedQuestions, "itself"),
    layout.TEXT_LENGTHS: StoredRecord(KnownTextLengths, "itself"),
}
"""Name, with stars for what varies -> how it is read; records of artifacts are verified with these."""

_BY_EXPRESSION = [
    (re.compile(re.escape(name).replace(r"\*", "[^/]+"), re.DOTALL), record) for name, record in RECORDS.items()
]


def record_of(name: str) -> StoredRecord | None:
    """Find out how a file is read; None if it is no record, or one of an artifact."""
    return next((record for expression, record in _BY_EXPRESSION if expression.fullmatch(name)), None)
