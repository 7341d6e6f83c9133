"""The DeepSpeed configuration: a pure function of stage, resources and device. Every "auto" is resolved here."""

from __future__ import annotations

from typing import Any

from search_spaces.errors import InputError
from search_spaces.resolve import check_sizes
from search_spaces.spec import ResourceSpec, StageSpec

OWNED = {
    "train_batch_size": "the stage's global_batch",
    "train_micro_batch_size_per_gpu": "resources.micro_batch",
    "gradient_accumulation_steps": "global_batch, micro_batch and workers",
    "gradient_clipping": "the stage's optimizer.clip",
    "bf16": "the stage's precision",
    "fp16": "the stage's precision",
    "optimizer": "the stage's optimizer",
    "scheduler": "the stage's schedule",
}
"""Fields that a user's own settings may not touch, and what decides them: they would change the experiment."""

CPU_BUCKETS = {"contiguous_gradients": False, "overlap_comm": False, "reduce_bucket_size": 1_000_000}
"""DeepSpeed's own bucket of 5e8 elements is made for a GPU: on a CPU its pages are new in every step, which cost a
tenth of the throughput of a small model (benchmarks/throughput.py)."""


def micro_batch(stage: StageSpec, resources: ResourceSpec) -> int:
    """Records per worker and forward pass. Raises InputError unless the global batch divides."""
    check_sizes(stage, resources)
    return resources.micro_batch or stage.global_batch // resources.workers


def deepspeed_config(stage: StageSpec, resources: ResourceSpec, device: str) -> dict[str, Any]:
    """What `deepspeed.initialize` is given, with the user's own settings merged in.

    Raises InputError if those set what the stage owns.
    """
    owned = sorted(OWNED.keys() & resources.deepspeed.keys())
    if owned:
        raise InputError(
            f"resources.deepspeed must not set {owned[0]!r}: {OWNED[owned[0]]} decides it",
            key=f"resources.deepspeed.{owned[0]}",
        )
    micro = micro_batch(stage, resources)
    zero: dict[str, Any] = {"stage": resources.zero}
    if device == "cpu" and resources.zero:
        zero |= CPU_BUCKETS
    if resources.offload == "optimizer":
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": device == "cuda"}
    if resources.zero == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = False
    config: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": micro,
        "gradient_accumulation_steps": stage.global_batch // (resources.workers * micro),
        "gradient_clipping": stage.optimizer.clip or 0.0,
        "bf16": {"enabled": stage.precision == "bf16"},
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
