"""Derive the DeepSpeed configuration from stage, resources and device; no value is left to "auto"."""

from __future__ import annotations

from typing import Any

from search_spaces.resource_spec import ResourceSpec
from search_spaces.resources import (
    REDUCE_BUCKET,
    accumulates_in_fp32,
    accumulation,
    check_resources,
    micro_batch,
    zero_stage,
)
from search_spaces.spec import Precision, StageSpec
from search_spaces.worker_contract import Device

Buckets = dict[str, bool | int]
"""Fields of `zero_optimization` that size its buffers -> values."""

CPU_BUCKETS: Buckets = {
    "contiguous_gradients": False,
    "overlap_comm": False,
    "reduce_bucket_size": 1_000_000,
}
"""Communication settings on a CPU. DeepSpeed's own bucket of 5e8 elements is made for a GPU: on a CPU its pages are new
in every step, which cost a tenth of the throughput of a small model (measurements/throughput.py)."""

GPU_BUCKETS: Buckets = {
    "contiguous_gradients": True,
    "overlap_comm": True,
    "reduce_bucket_size": REDUCE_BUCKET,
    "allgather_bucket_size": REDUCE_BUCKET,
}
"""Communication settings on a GPU. Gradients are copied into one buffer as they appear, which keeps memory whole, and a
full buffer is reduced on a stream of its own while the backward pass goes on. Not measured on a GPU yet; none of it
enters identity."""

BUCKETS: dict[Device, Buckets] = {"cpu": CPU_BUCKETS, "cuda": GPU_BUCKETS}

BF16_ENABLED: dict[Precision, bool] = {"fp32": False, "bf16": True}


def deepspeed_config(stage: StageSpec, resources: ResourceSpec, device: Device) -> dict[str, Any]:
    """Build the configuration of `deepspeed.initialize`, with the user's own settings merged in.

    Args:
        stage: stage that is trained; it decides batch sizes, clipping and precision.
        resources: workers, ZeRO stage, offloading, micro-batch and the user's own settings.
        device: device of the workers.

    Raises:
        InputError: the resources cannot train the stage, or the user's settings set what the stage decides.
    """
    check_resources(stage, resources)
    number = zero_stage(stage, resources)
    zero: dict[str, Any] = {"stage": number}
    if number:
        zero |= BUCKETS[device]
    on_host = {"device": "cpu", "pin_memory": device == "cuda"}
    if "optimizer" in resources.offloaded:
        zero["offload_optimizer"] = on_host
    if "params" in resources.offloaded:
        zero["offload_param"] = on_host
    if number == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = False
    config: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": micro_batch(stage, resources),
        "gradient_accumulation_steps": accumulation(stage, resources),
        "gradient_clipping": stage.optimizer.clip or 0.0,
        "bf16": {"enabled": BF16_ENABLED[stage.precision]},
        "data_types": {"grad_accum_dtype": "fp32" if accumulates_in_fp32(stage, resources) else None},
        "zero_optimization": zero,
        # Client optimizers: DeepSpeed's own compile a C++ extension for minutes at first use.
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 1_000_000_000,
        "wall_clock_breakdown": False,
    }
    extra = dict(resources.deepspeed)
    config["zero_optimization"] = {**zero, **extra.pop("zero_optimization", {}), "stage": number}
    return {**config, **extra}
