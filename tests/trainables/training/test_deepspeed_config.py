"""DeepSpeed's configuration follows from the stage and its resources, and users cannot change the experiment by it."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from search_spaces.errors import InputError
from search_spaces.resource_spec import ResourceSpec
from search_spaces.spec import Precision
from search_spaces.worker_contract import Device
from tests.support.tiny_specs import stage
from trainables.training.deepspeed_config import BF16_ENABLED, BUCKETS, deepspeed_config


@pytest.mark.parametrize(("workers", "micro", "accumulation"), [(1, None, 1), (2, None, 1), (2, 2, 2), (4, 1, 2)])
def test_global_batch_is_micro_times_accumulation_times_world(
    workers: int, micro: int | None, accumulation: int
) -> None:
    resources = ResourceSpec(workers=workers, micro_batch=micro)
    config = deepspeed_config(stage(global_batch=8), resources, "cpu")
    assert config["gradient_accumulation_steps"] == accumulation
    assert config["train_micro_batch_size_per_gpu"] * accumulation * workers == 8


@pytest.mark.parametrize(
    ("workers", "micro", "law"), [(3, None, "multiple of resources.workers"), (2, 3, "micro_batch")]
)
def test_a_batch_that_does_not_divide_is_refused(workers: int, micro: int | None, law: str) -> None:
    with pytest.raises(InputError, match=law):
        deepspeed_config(stage(global_batch=8), ResourceSpec(workers=workers, micro_batch=micro), "cpu")


def test_nothing_is_left_for_deepspeed_to_guess() -> None:
    for zero in (0, 1, 2, 3):
        assert "auto" not in str(deepspeed_config(stage(), ResourceSpec(zero=zero), "cuda"))


@pytest.mark.parametrize(("asked", "bf16"), [(0, 2), (1, 2), (2, 2), (3, 3)])
def test_bf16_runs_at_zero_2_at_least_and_sums_micro_batches_in_fp32(asked: Any, bf16: int) -> None:
    whole, cut = ResourceSpec(zero=asked), ResourceSpec(zero=asked, micro_batch=1)
    for resources, summed in ((whole, None), (cut, "fp32")):
        config = deepspeed_config(stage(precision="bf16"), resources, "cpu")
        assert config["zero_optimization"]["stage"] == bf16
        assert config["data_types"]["grad_accum_dtype"] == summed
        config = deepspeed_config(stage(), resources, "cpu")
        assert config["zero_optimization"]["stage"] == asked
        assert config["data_types"]["grad_accum_dtype"] is None


def test_every_device_has_its_buckets() -> None:
    assert set(BUCKETS) == set(get_args(Device))


def test_deepspeed_is_told_of_every_precision() -> None:
    assert set(BF16_ENABLED) == set(get_args(Precision))
    enabled = {name: deepspeed_config(stage(precision=name), ResourceSpec(), "cpu")["bf16"] for name in BF16_ENABLED}
    assert enabled == {"fp32": {"enabled": False}, "bf16": {"enabled": True}}


@pytest.mark.parametrize("field", ["optimizer", "train_batch_size", "bf16", "gradient_clipping"])
def test_settings_that_the_stage_owns_are_refused_by_name(field: str) -> None:
    with pytest.raises(InputError, match=f"must not set '{field}'"):
        deepspeed_config(stage(), ResourceSpec(deepspeed={field: {}}), "cpu")


@pytest.mark.parametrize("field", ["stage", "offload_optimizer", "offload_param", "zero_quantized_weights"])
def test_nested_settings_that_would_change_the_experiment_are_refused_by_name(field: str) -> None:
    own = {"zero_optimization": {field: 1}}
    with pytest.raises(InputError, match=f"must not set 'zero_optimization.{field}'"):
        deepspeed_config(stage(), ResourceSpec(zero=2, deepspeed=own), "cpu")


@pytest.mark.parametrize(
    ("zero", "offload", "law"), [(0, "optimizer", "needs ZeRO 1, 2 or 3"), (2, "optimizer+params", "needs ZeRO 3")]
)
def test_an_offload_that_deepspeed_cannot_do_is_refused(zero: Any, offload: Any, law: str) -> None:
    with pytest.raises(InputError, match=law):
        deepspeed_config(stage(), ResourceSpec(zero=zero, offload=offload), "cpu")


def test_offloaded_parts_are_on_the_host_and_pinned_beside_a_gpu() -> None:
    zero = deepspeed_config(stage(), ResourceSpec(zero=3, offload="optimizer+params"), "cuda")["zero_optimization"]
    assert zero["offload_optimizer"] == zero["offload_param"] == {"device": "cpu", "pin_memory": True}


def test_other_settings_of_the_user_are_passed_on() -> None:
    own = {"zero_optimization": {"overlap_comm": True}, "dump_state": True}
    config = deepspeed_config(stage(), ResourceSpec(zero=2, deepspeed=own), "cpu")
    assert config["zero_optimization"]["stage"] == 2
    assert config["zero_optimization"]["overlap_comm"] is True
    assert config["dump_state"] is True
