"""Records as trials leave them, whole but of invented values: tests name the fields that they are about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from trainables.storage.records import (
    Cost,
    EvaluationResult,
    Failure,
    Rehearsal,
    StageRehearsal,
    StageResult,
    TrialResult,
)

_STAGE = StageResult(
    key="",
    name="finetune",
    steps=3,
    modules={},
    final_loss=0.5,
    diverged=False,
    losses_digest="0",
    gpu_seconds=1.0,
    samples_per_second=1.0,
    counts={},
    provenance={},
)
_EVALUATION = EvaluationResult(
    key="",
    asked="asked",
    benchmark="shape",
    protocol="official",
    n=10,
    unparsable=0,
    points=50.0,
    headline="accuracy",
    metrics={"accuracy": 50.0},
    units={},
    warnings=(),
    majority=50.0,
    constant=False,
    gpu_seconds=1.0,
    examples="",
)
_COST = Cost(gpu_seconds=0.0, gpu_seconds_alone=0.0, wall_seconds=0.0)
_TRIAL = TrialResult(trial="", stages=(), evaluations={}, diverged=False, cost=_COST)
_FAILURE = Failure(trial="", kind="lost", message="worker died", traceback="", log="", ts=0)


def stage_result(key: str, **fields: Any) -> StageResult:
    """Make the result of a stage."""
    return replace(_STAGE, key=key, **fields)


def evaluation_result(key: str, **fields: Any) -> EvaluationResult:
    """Make the result of an evaluation."""
    return replace(_EVALUATION, key=key, **fields)


def trial_result(trial: str, **fields: Any) -> TrialResult:
    """Make the result of a trial."""
    return replace(_TRIAL, trial=trial, **fields)


def failure(trial: str, **fields: Any) -> Failure:
    """Make the failure of a trial."""
    return replace(_FAILURE, trial=trial, **fields)


def rehearsal_record(shape: str, *micro_batches: int) -> Rehearsal:
    """Make the record of a rehearsal that went well, of stages with these micro-batches."""
    stages = tuple(StageRehearsal("finetune", micro, 1, 0.0, 0.0, None, None) for micro in micro_batches)
    return Rehearsal(shape, "base", 1, "cpu", stages, {}, None, 1.0, 1)
