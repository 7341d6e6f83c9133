"""Name what decides how much memory a piece of work takes. Seeds, learning rates and data do not: many trials share it.

The names are no identity: they enter no key, and what is kept by them may be removed at any time.
"""

from __future__ import annotations

from typing import Any

from search_spaces.identity import fingerprint
from search_spaces.resource_spec import ResourceSpec
from search_spaces.spec import StageSpec, TrialSpec

_DIGITS = 24

TAKE_NO_MEMORY = ("micro_batch", "checkpoint_every_steps", "checkpoint_every_minutes", "hang_timeout_s")
"""Resources that are no part of a shape: the first is what is learned by it."""


def stage_shape(trial: TrialSpec, stage: StageSpec, resources: ResourceSpec, cached: bool) -> str:
    """Name the shape of training a stage, whatever its micro-batch.

    Args:
        trial: whose model it trains.
        stage: of this trial.
        resources: of the stage.
        cached: whether the features of a frozen encoder are read from a cache, so that the encoder is not there.
    """
    trained = stage.model_dump(
        mode="json", include={"trains", "global_batch", "precision", "activation_checkpointing", "prompt", "lora"}
    )
    return _digest({**_model(trial), **trained, "optimizer": stage.optimizer.kind, "cached": cached}, resources)


def evaluation_shape(trial: TrialSpec, resources: ResourceSpec) -> str:
    """Name the shape of answering questions with a trained model."""
    return _digest(_model(trial), resources)


def _model(trial: TrialSpec) -> dict[str, Any]:
    parts = {"vision": trial.vision, "projector": trial.projector, "language": trial.language}
    return {name: part.model_dump(mode="json") for name, part in parts.items()}


def _digest(work: dict[str, Any], resources: ResourceSpec) -> str:
    devices = resources.model_dump(mode="json", exclude=set(TAKE_NO_MEMORY))
    return fingerprint({"work": work, "resources": devices})[:_DIGITS]
