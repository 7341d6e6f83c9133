"""Tiny specs for tests, each with the fields that a test does not care about filled in."""

from __future__ import annotations

from typing import Any

from search_spaces.spec import (
    LanguageSpec,
    MixPart,
    MixSpec,
    OptimizerSpec,
    ProjectorSpec,
    ScheduleSpec,
    SourceSpec,
    StageSpec,
    TokenizerSpec,
    TrialSpec,
    VisionSpec,
)

GENERATED = {"records": 40, "seed": 1}
SGD = OptimizerSpec(kind="sgd", lr=0.05, momentum=0.9)
ADAMW = OptimizerSpec(lr=3e-3, eps=1e-8)


def source(split: str = "train", **options: Any) -> SourceSpec:
    """Describe a source of generated shapes, with options of its reader."""
    return SourceSpec(name="shapes", version="1", reader="generated", options={**GENERATED, "split": split, **options})


def vision(**changes: Any) -> VisionSpec:
    """Describe a convolutional encoder of four tokens, but for these fields."""
    fields: dict[str, Any] = {
        "backbone": "tiny",
        "arch": "test_efficientnet",
        "family": "conv",
        "weights": "random",
        "checkpoint": None,
        "resolution": 64,
        "resize": "naive",
        "interpolate": False,
        "patch": 32,
        "width": 256,
        "tokens": 4,
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
    }
    return VisionSpec(**(fields | changes))


def language(**changes: Any) -> LanguageSpec:
    """Describe a llama of two layers that reads bytes, but for these fields."""
    fields: dict[str, Any] = {
        "name": "tiny",
        "family": "llama",
        "checkpoint": None,
        "config": {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "initializer_range": 0.1,
        },
        "tokenizer": TokenizerSpec(kind="bytes"),
        "prompt": "bare",
        "width": 32,
        "max_length": 96,
    }
    return LanguageSpec(**(fields | changes))


def stage(name: str = "finetune", **changes: Any) -> StageSpec:
    """Describe a stage of six steps on generated shapes, but for these fields."""
    fields: dict[str, Any] = {
        "name": name,
        "trains": ("projector", "language"),
        "data": MixSpec(name="shapes", parts=(MixPart(source=source()),)),
        "max_steps": 6,
        "global_batch": 8,
        "optimizer": ADAMW,
        "schedule": ScheduleSpec(kind="cosine", warmup_steps=2),
    }
    return StageSpec(**(fields | changes))


def trial_spec(**changes: Any) -> TrialSpec:
    """Describe a trial of one stage, but for these fields."""
    fields: dict[str, Any] = {
        "vision": vision(),
        "projector": ProjectorSpec(kind="gelu-mlp"),
        "language": language(),
        "stages": (stage(),),
        "seed": 7,
    }
    return TrialSpec(**(fields | changes))
