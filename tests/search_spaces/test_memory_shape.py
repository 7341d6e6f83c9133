"""Claims about search_spaces/memory_shape.py: trials share a shape where they need equal memory."""

from __future__ import annotations

from typing import Any

import pytest

from search_spaces.memory_shape import evaluation_shape, stage_shape
from search_spaces.resource_spec import ResourceSpec
from search_spaces.spec import OptimizerSpec, StageSpec, TrialSpec
from tests.support.tiny_specs import SGD, language, stage, trial_spec, vision


def shape(stage: StageSpec, trial: TrialSpec | None = None, cached: bool = False, **resources: Any) -> str:
    return stage_shape(trial or trial_spec(), stage, ResourceSpec(**resources), cached)


def test_stage_seed_learning_rate_length_and_name_share_the_shape() -> None:
    first = shape(stage())
    assert shape(stage(), trial_spec(seed=99)) == first
    assert shape(stage("other", optimizer=OptimizerSpec(lr=1.0), max_steps=99)) == first


def test_stage_micro_batch_and_what_takes_no_memory_share_the_shape() -> None:
    others: dict[str, Any] = {
        "micro_batch": 2,
        "checkpoint_every_steps": 9,
        "checkpoint_every_minutes": 1,
        "hang_timeout_s": 9,
    }
    others |= {"checkpoint_copy": "background", "labels": {"market": "spot"}}
    assert shape(stage(), **others) == shape(stage())


def test_shapes_that_were_learned_by_earlier_versions_are_found() -> None:
    assert shape(stage()) == "b3dcabd36412fa08b7b16476"
    assert evaluation_shape(trial_spec(), ResourceSpec()) == "3c06346e98ff8b1c7e33eda5"


def test_a_kind_of_gpu_deterministic_kernels_and_compiled_layers_are_part_of_the_shape_where_they_are_set() -> None:
    on_gpu = shape(stage(), gpus_per_worker=1)
    assert shape(stage(), gpus_per_worker=1, accelerator="H100") != on_gpu
    assert len({shape(stage()), shape(stage(), deterministic=True), shape(stage(), compile=True)}) == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"trains": ("projector",)},
        {"global_batch": 16},
        {"precision": "bf16"},
        {"activation_checkpointing": True},
        {"optimizer": SGD},
    ],
    ids=str,
)
def test_stage_what_takes_memory_is_part_of_the_shape(changed: dict[str, Any]) -> None:
    assert shape(stage(**changed)) != shape(stage())


def test_stage_model_resources_and_cached_features_are_part_of_the_shape() -> None:
    first = shape(stage())
    assert shape(stage(), trial_spec(vision=vision(resolution=96))) != first
    assert shape(stage(), trial_spec(language=language(max_length=48))) != first
    assert shape(stage(), workers=2) != first
    assert shape(stage(), zero=2) != first
    assert shape(stage(), cached=True) != first


def test_evaluation_replicates_share_a_shape_and_models_do_not() -> None:
    resources = ResourceSpec()
    first = evaluation_shape(trial_spec(), resources)
    assert evaluation_shape(trial_spec(seed=99), resources) == first
    assert evaluation_shape(trial_spec(vision=vision(resolution=96)), resources) != first
