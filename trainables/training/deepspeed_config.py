"""The DeepSpeed configuration: a pure function of stage, resources and device. Every "auto" is resolved here."""

from __future__ import annotations

from typing import Any

from search_spaces.resource_spec import ResourceSpec
from search_spaces.resources import REDUCE_BUCKET, check_resources, micro_batch
from search_spaces.spec import Precision, StageSpec

CPU_BUCKETS = {"contiguous_gradients": False, "overlap_comm": False, "reduce_bucket_size": 1_000_000}
"""DeepSpeed's own bucket of 5e8 elements is made for a GPU: on a CPU its pages are new in every step, which cost a
tenth of the throughput of a small model (measurements/throughput.py)."""

GPU_BUCKETS = {
    "contiguous_gradients": True,
    "overlap_comm": True,
    "reduce_bucket_size": REDUCE_BUCKET,
    "allgather_bucket_size": REDUCE_BUCKET,
}
"""Gradients are copied into one buffer as they appear, which keeps memory whole, and a full buffer is reduced on a
stream of its own while the backward pass goes on. Not measured on a GPU yet; none of it enters identity."""

BF16_ENABLED: dict[Precision, bool] = {"fp32": False, "bf16": True}


def deepspeed_config(stage: StageSpec, resources: ResourceSpec, device: str) -> dict[str, Any]:
    """What `deepspeed.initialize` is given, with the user's own settings merged in.

    Raises InputError if those set what the stage owns.
    """
    check_resources(stage, resources)
    micro = micro_batch(stage, resources)
    zero: dict[str, Any] = {"stage": resources.zero}
    if resources.zero:
        zero |= CPU_BUCKETS if device == "cpu" else GPU_BUCKETS
    on_host = {"device": "cpu", "pin_memory": device == "cuda"}
    if "optimizer" in resources.offloaded:
        zero["offload_optimizer"] = on_host
    if "params" in resources.offloaded:
        zero["offload_param"] = on_host
    if resources.zero == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = False
    config: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": micro,
        "gradient_accumulation_steps": stage.global_batch // (resources.workers * micro),
        "gradient_clipping": stage.optimizer.clip or 0.0,
        "bf16": {"enabled": BF16_ENABLED[stage.precision]},
        "zero_optimization": zero,
        # Client optimizers: DeepSpeed's own compile a C++ extension for minutes at first use.
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 1_000_000_000,
        "wall_clock_breakdown": False,
    }
    extra = dict(resources.deepspeed)
    config["zero_optimization"] = {**zero, **extra.pop("zero_optimization", {}), "stage": resources.zero}
    return {**config, **extra}
