"""Resolve and check the resources of a trial: presets, and differences of arms and stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, assert_never

from search_spaces.errors import InputError, nearest
from search_spaces.node_labels import ACCELERATOR_LABEL, NODE_LABEL
from search_spaces.resource_spec import CheckpointForm, ResourceSpec
from search_spaces.spec import StageSpec

if TYPE_CHECKING:
    from search_spaces.catalogue.load import Catalogue
    from search_spaces.study import Study

REDUCE_BUCKET = 200_000_000
"""Elements that ZeRO reduces at once on GPUs (DeepSpeed: 5e8). Two buckets of it are alive at a time, 0.8 GB in bf16
instead of 2; at 0.4 GB each, a bucket is still far above what a link of 200 GB/s needs to be busy."""

LIVE_PARAMETERS = 1_000_000_000
PREFETCHED_PARAMETERS = 50_000_000
"""ZeRO 3: weights that are gathered at a time, and ahead of their use (DeepSpeed's own defaults)."""

LOGITS_AT_ONCE = 1 << 24
"""Logits that are in fp32 at a time while the loss is computed: 64 MiB a copy."""

KEPT_CHECKPOINTS = 2
"""Checkpoints of a running stage that are kept: older ones are removed when a newer one is complete."""

OWNED = {
    "train_batch_size": "the stage's global_batch",
    "train_micro_batch_size_per_gpu": "resources.micro_batch",
    "gradient_accumulation_steps": "global_batch, micro_batch and workers",
    "gradient_clipping": "the stage's optimizer.clip",
    "bf16": "the stage's precision",
    "bfloat16": "the stage's precision",
    "fp16": "the stage's precision (fp16 is not offered)",
    "amp": "the stage's precision",
    "torch_autocast": "the stage's precision",
    "data_types": "the stage's precision",
    "optimizer": "the stage's optimizer",
    "scheduler": "the stage's schedule",
    "prescale_gradients": "the loss, which is normalised over the global batch",
    "gradient_predivide_factor": "the loss, which is normalised over the global batch",
    "gradient_allreduce_op": "the loss, which is normalised over the global batch",
    "sparse_gradients": "the stage's optimizer",
    "activation_checkpointing": "the stage's activation_checkpointing",
    "curriculum_learning": "the stage's data",
    "data_efficiency": "the stage's data",
    "progressive_layer_drop": "the model",
    "compression_training": "the model",
    "checkpoint": "the program, which writes checkpoints of its own",
    "zero_allow_untested_optimizer": "the program, which brings torch's optimizers",
    "zero_force_ds_cpu_optimizer": "the program, which brings torch's optimizers",
    "zero_optimization.stage": "resources.zero",
    "zero_optimization.offload_optimizer": "resources.offload",
    "zero_optimization.offload_param": "resources.offload",
    "zero_optimization.cpu_offload": "resources.offload",
    "zero_optimization.cpu_offload_param": "resources.offload",
    "zero_optimization.zero_quantized_weights": "the stage's precision",
    "zero_optimization.zero_quantized_nontrainable_weights": "the stage's precision",
    "zero_optimization.zero_quantized_gradients": "the stage's precision",
    "zero_optimization.compute_grad_norm": "the stage's optimizer.clip",
}
"""Fields that a user's DeepSpeed settings may not touch, and what decides them: they would change the experiment."""


@dataclass(frozen=True)
class ArmResources:
    """Resources of an arm, and of its stages where they differ."""

    arm: ResourceSpec
    stages: dict[str, ResourceSpec]

    def of(self, stage: str) -> ResourceSpec:
        """Return the resources of the stage with this name."""
        return self.stages.get(stage, self.arm)


def resolve_resources(study: Study, catalogue: Catalogue, difference: Mapping[str, Any]) -> ArmResources:
    """Resolve the study's resources with an arm's differences, for the arm and for the stages that differ from it.

    Field by field, the arm replaces the study and the study its preset; a preset that the arm names takes the place of
    the study's. What is set for the whole trial replaces what a preset says of single stages, too.

    Args:
        study: the study, as its file has it.
        catalogue: catalogue with the presets.
        difference: the `resources` of a named arm; empty for all others.

    Raises:
        InputError: for an unknown preset.
    """
    own = study.resources.model_dump(exclude_unset=True)
    fields: dict[str, Any] = {}
    stages: dict[str, dict[str, Any]] = {}
    for layer in (_preset(study, catalogue, difference.get("preset", own.get("preset"))), own, dict(difference)):
        of_stages = layer.pop("stages", {})
        for stage in stages.values():
            for name in layer:
                stage.pop(name, None)
        fields.update(layer)
        for name, stage in of_stages.items():
            stages[name] = {**stages.get(name, {}), **stage}
    for name in ("preset", "interface", "launcher"):  # the last two are of the run, not of a trial
        fields.pop(name, None)
    arm = ResourceSpec(**fields)
    return ArmResources(arm, {name: arm.model_copy(update=stage) for name, stage in stages.items()})


def _preset(study: Study, catalogue: Catalogue, name: str | None) -> dict[str, Any]:
    if name is None:
        return {}
    if name not in catalogue.resources:
        legal = list(catalogue.resources)
        law = f"must be one of {', '.join(legal)}, but got {name!r}"
        raise study.problem(("resources", "preset"), law, nearest(name, legal))
    return catalogue.resources[name].model_dump(exclude_unset=True, exclude={"source"})


# ---------------------------------------------------------------- laws


def check_resources(stage: StageSpec, resources: ResourceSpec) -> None:
    """Check that resources can train a stage, and that they do not change the experiment.

    Raises InputError for sizes that do not divide, offloading without its ZeRO stage, several workers on one device,
    parts of several GPUs, layers that cannot be compiled, a kind of GPU for trials without any, and DeepSpeed settings
    that the stage decides.
    """
    check_sizes(stage, resources)
    _check_offload(stage, resources)
    if resources.gpus_per_worker > 1 and not resources.gpus_per_worker.is_integer():
        raise InputError(
            "gpus_per_worker must be a whole number, or less than 1 where trials share a GPU, but got"
            f" {resources.gpus_per_worker:g}",
            way_out="Set `gpus_per_worker: 1`: a worker uses one GPU.",
        )
    if resources.workers > 1 and 0 < resources.gpus_per_worker < 1:
        raise InputError(
            "gpus_per_worker must be 1 where a trial has several workers: NCCL refuses two ranks on one device,"
            f" but got {resources.gpus_per_worker:g}",
            way_out="Set `gpus_per_worker: 1`, or `workers: 1`.",
        )
    _check_compile(stage, resources)
    _check_nodes(resources)
    for field in _fields(resources.deepspeed):
        if field in OWNED:
            raise InputError(
                f"resources.deepspeed must not set {field!r}: {OWNED[field]} decides it",
                key=f"resources.deepspeed.{field}",
            )


def _check_nodes(resources: ResourceSpec) -> None:
    if NODE_LABEL in resources.labels:
        raise InputError(f"labels must not have {NODE_LABEL}: a run chooses nodes by it", key="resources.labels")
    if resources.accelerator is None:
        return
    if not resources.gpus_per_worker:
        law = f"accelerator must be left out where gpus_per_worker is 0, but got {resources.accelerator!r}"
        raise InputError(law, way_out="Set `gpus_per_worker: 1`.")
    if ACCELERATOR_LABEL in resources.labels:
        law = f"labels must not have {ACCELERATOR_LABEL} beside `accelerator`, which stands for it"
        raise InputError(law, way_out="Leave one of them out.")


def _check_compile(stage: StageSpec, resources: ResourceSpec) -> None:
    if not resources.compile:
        return
    if resources.zero == 3:
        law = f"stage {stage.name!r}: compile needs ZeRO 0 to 2, but zero is 3, which gathers weights within each layer"
        raise InputError(law, key="resources.compile", way_out="Leave `compile` out, or set `zero: 2`.")
    if stage.lora is not None and stage.lora.dropout:
        law = f"stage {stage.name!r}: compile needs layers without dropout, but that of its adapters is"
        raise InputError(f"{law} {stage.lora.dropout:g}", key="resources.compile", way_out="Leave `compile` out.")


def _check_offload(stage: StageSpec, resources: ResourceSpec) -> None:
    match resources.offload:
        case "none":
            pass
        case "optimizer":
            if resources.zero == 0:
                law = f"stage {stage.name!r}: offload `optimizer` needs ZeRO 1, 2 or 3, but zero is 0"
                raise InputError(law, way_out="Set `zero: 2`.")
        case "optimizer+params":
            if resources.zero != 3:
                law = f"stage {stage.name!r}: offload `optimizer+params` needs ZeRO 3, but zero is {resources.zero}"
                raise InputError(law, way_out="Set `zero: 3`, or `offload: optimizer`.")
        case unreachable:
            assert_never(unreachable)


def _fields(settings: Mapping[str, Any]) -> Iterator[str]:
    """List the fields of DeepSpeed settings, those of `zero_optimization` with their dotted path."""
    for name, value in sorted(settings.items()):
        yield name
        if name == "zero_optimization" and isinstance(value, Mapping):
            yield from (f"{name}.{inner}" for inner in sorted(value))


def check_sizes(stage: StageSpec, resources: ResourceSpec) -> None:
    """Check that global batch = micro-batch x accumulation x workers. Raises InputError."""
    share, rest = divmod(stage.global_batch, resources.workers)
    if rest:
        raise InputError(
            f"global_batch of stage {stage.name!r} must be a multiple of resources.workers,"
            f" but {stage.global_batch} = {share} x {resources.workers} + {rest}",
            way_out=f"The nearest number of workers is {_nearest_divisor(stage.global_batch, resources.workers)}.",
        )
    if stage.packing is None and resources.micro_batch is not None and share % resources.micro_batch:
        raise InputError(
            f"global_batch / workers of stage {stage.name!r} must be a multiple of resources.micro_batch, but"
            f" {stage.global_batch} / {resources.workers} = {share} is none of {resources.micro_batch}",
            way_out=f"The nearest micro-batch is {_nearest_divisor(share, resources.micro_batch)}.",
        )


def micro_batch(stage: StageSpec, resources: ResourceSpec) -> int:
    """Return the rows per worker and forward pass, of resources that fit the stage (`check_sizes`).

    A row is a record; where a stage packs its records, a pass is one row of several.
    """
    if stage.packing is not None:
        return 1
    return resources.micro_batch or stage.global_batch // resources.workers


def accumulation(stage: StageSpec, resources: ResourceSpec) -> int:
    """Return the forward passes per worker of an optimizer step, at most: packed rows are never more than records."""
    return stage.global_batch // (resources.workers * micro_batch(stage, resources))


def zero_stage(stage: StageSpec, resources: ResourceSpec) -> Literal[0, 1, 2, 3]:
    """Return the ZeRO stage that DeepSpeed runs: in bf16 at least 2, whatever is asked for.

    DeepSpeed 0.19.8 has another optimizer for bf16 at ZeRO 0, which takes an AdamW step on zero gradients before the
    first (`FP16_UnfusedOptimizer.initialize_optimizer_states`), and at ZeRO 1 with gradients accumulated in fp32, which
    passes over steps whose gradients are not finite (`BF16_Optimizer.step`). Both would be other experiments.
    """
    match stage.precision:
        case "fp32":
            return resources.zero
        case "bf16":
            return 3 if resources.zero == 3 else 2
        case _:
            assert_never(stage.precision)


def resources_as_run(stage: StageSpec, resources: ResourceSpec) -> ResourceSpec:
    """Return the resources of a stage with the ZeRO stage that DeepSpeed runs, which may be a higher one than given."""
    return resources.model_copy(update={"zero": zero_stage(stage, resources)})


def checkpoint_form(resources: ResourceSpec) -> CheckpointForm:
    """Return how step checkpoints are written.

    Where the optimizer's states live in the host's memory already, on a CPU or offloaded, a copy would double what is
    taken of it, and copy and digest compete with the step for the processor.
    """
    match resources.checkpoint_copy:
        case "auto":
            lives_on_gpu = resources.gpus_per_worker > 0 and "optimizer" not in resources.offloaded
            return "background" if lives_on_gpu else "wait"
        case "wait" | "background":
            return resources.checkpoint_copy
        case _:
            assert_never(resources.checkpoint_copy)


def accumulates_in_fp32(stage: StageSpec, resources: ResourceSpec) -> bool:
    """Check whether gradients are kept in fp32 between the micro-batches of a step.

    Sums in bf16 lose what is small beside them: the error of a gradient would grow from 0.4 % at one micro-batch to
    2.5 % at 128.
    """
    return stage.precision == "bf16" and accumulation(stage, resources) > 1


def _nearest_divisor(number: int, wanted: int) -> int:
    divisors = [divisor for divisor in range(1, number + 1) if number % divisor == 0]
    return min(divisors, key=lambda divisor: abs(divisor - wanted))
