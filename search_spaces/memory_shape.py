"""Name what decides how much memory a piece of work takes. Seeds, learning rates and data do not: many trials share it.

The names are no identity: they enter no key, and what is kept by them may be removed at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from search_spaces.identity import fingerprint, source_name
from search_spaces.resource_spec import ResourceSpec
from search_spaces.resources import micro_batch
from search_spaces.spec import BenchmarkSpec, StageSpec, TrialSpec, VisionSpec

_DIGITS = 24

TAKE_NO_MEMORY = (
    "micro_batch",
    "padding",
    "checkpoint_every_steps",
    "checkpoint_every_minutes",
    "checkpoint_copy",
    "hang_timeout_s",
    "labels",
)
"""Resources that are no part of a shape: the first is what is learned by it, and a copy of the state in the host's
memory is as large at any micro-batch."""

UNLESS_DEFAULT = ("accelerator", "compile", "deterministic")
"""Resources that are part of a shape only where a study sets them: shapes learned before they existed stay."""


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
    if stage.packing is not None:
        trained["packing"] = stage.packing.tokens
    return _digest({**_model(trial), **trained, "optimizer": stage.optimizer.kind, "cached": cached}, resources)


def evaluation_shape(trial: TrialSpec, resources: ResourceSpec) -> str:
    """Name the shape of answering questions with a trained model."""
    return _digest(_model(trial), resources)


def trial_shape(
    trial: TrialSpec, resources: Sequence[ResourceSpec], cached: bool, evaluation_sets: Sequence[BenchmarkSpec]
) -> str:
    """Name what decides whether a trial runs: model, what each stage trains, on what, and what it is asked.

    Seeds, learning rates, data and how images are resized and normalised do not: one rehearsal serves many trials.

    Args:
        trial: the trial.
        resources: of each of its stages.
        cached: whether the features of a frozen encoder are read from a cache.
        evaluation_sets: that the trained model answers.
    """
    shown = replace(trial, vision=_without_pixels(trial.vision))
    stages = [
        (stage_shape(shown, stage, each, cached), micro_batch(stage, each))
        for stage, each in zip(trial.stages, resources, strict=True)
    ]
    sets = sorted((each.name, source_name(each.source), each.protocol) for each in evaluation_sets)
    return fingerprint({"stages": stages, "evaluation": evaluation_shape(shown, resources[0]), "sets": sets})[:_DIGITS]


def _without_pixels(vision: VisionSpec) -> VisionSpec:
    """Return an encoder without what is done to images before it sees them."""
    plain = {"resize": "naive", "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    return vision.model_copy(update={**plain, "parts": tuple(map(_without_pixels, vision.parts))})


def _model(trial: TrialSpec) -> dict[str, Any]:
    parts = {"vision": trial.vision, "projector": trial.projector, "language": trial.language}
    return {name: part.model_dump(mode="json") for name, part in parts.items()}


def _digest(work: dict[str, Any], resources: ResourceSpec) -> str:
    devices = resources.model_dump(mode="json", exclude=set(TAKE_NO_MEMORY))
    for name in UNLESS_DEFAULT:
        if devices[name] == type(resources).model_fields[name].default:
            del devices[name]
    return fingerprint({"work": work, "resources": devices})[:_DIGITS]
