"""Estimate the memory of a stage by part, to see whether it fits a GPU.

Weights, gradients and optimizer states are exact for the ZeRO stage (Rajbhandari et al. 2020, arXiv 1910.02054,
sections 3.1 and 5, with the precisions that DeepSpeed 0.19.8 really keeps). Activations follow from what the layers of
transformers and timm save for the backward pass; a test counts them on a small model. Sums are for the longest batch
that a stage may meet, so they are an upper bound for most steps.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never, get_args

from search_spaces.resource_spec import Offload, ResourceSpec
from search_spaces.resources import (
    LIVE_PARAMETERS,
    LOGITS_AT_ONCE,
    PREFETCHED_PARAMETERS,
    REDUCE_BUCKET,
    accumulates_in_fp32,
    checkpoint_form,
    micro_batch,
    zero_stage,
)
from search_spaces.sizes import ModelSize, VitShape, kv_width
from search_spaces.spec import StageSpec
from search_spaces.trained_sizes import stage_adapters, trained_parameters

RUNTIME_BYTES = 2_000_000_000
"""Of a GPU: CUDA context, buffers of NCCL's two communicators, cuBLAS workspace. An assumption."""

FRAGMENT_BYTES = 3_000_000_000
"""Of a GPU: what the allocator has reserved and cannot use, as lengths change with every micro-batch. An assumption;
workers let its segments grow (`cluster.worker_process`), which leaves less."""

FP32 = 4


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of one worker."""

    weights: int
    """Of projector and language model, and of an encoder that is trained."""
    encoder: int
    """Weights of a frozen encoder that is not replaced by cached features."""
    gradients: int
    optimizer: int
    """fp32 master weights and the optimizer's states."""
    activations: int
    """Kept for the backward pass, at the longest batch."""
    workspace: int
    """Logits, ZeRO's buckets and gathered weights, or the fp32 gradients of the step if they are more; the runtime."""
    host: int
    """In the host's memory instead: what is offloaded, and the copy of a step checkpoint that is being written."""

    @property
    def total(self) -> int:
        """On the GPU, at the peak."""
        return self.weights + self.encoder + self.gradients + self.optimizer + self.activations + self.workspace


def stage_memory(size: ModelSize, stage: StageSpec, resources: ResourceSpec, text_tokens: int, cached: bool) -> Memory:
    """Estimate the peak memory of one worker of a stage.

    Args:
        size: of the model.
        stage, resources: what is trained, and on what.
        text_tokens: of the longest text.
        cached: features of the encoder come from a cache, the encoder is not there.
    """
    number, zero = bytes_of_number(stage), zero_stage(stage, resources)
    shares = resources.workers if zero == 3 else 1
    parameters = size.parameters
    trained = trained_parameters(size, stage)
    vision_trained = "vision" in stage.trains
    modules = parameters["projector"] + parameters["language"] + (parameters["vision"] if vision_trained else 0)
    modules += stage_adapters(size, stage).parameters
    weights = number * modules // shares
    encoder = 0 if cached or vision_trained else number * parameters["vision"] // shares
    summed = FP32 if accumulates_in_fp32(stage, resources) else number
    gradients = summed * trained // (resources.workers if zero >= 2 else 1)
    optimizer = optimizer_bytes(stage, resources, trained) // (resources.workers if zero else 1)
    host = 0
    if "optimizer" in resources.offloaded:
        fp32_gradients = FP32 * trained // resources.workers
        host, optimizer = optimizer + fp32_gradients, 0
        gradients = 0 if zero >= 2 else gradients
    if "params" in resources.offloaded:
        host, weights, encoder = host + weights + encoder, 0, 0
    host += host_copy_bytes(stage, resources, trained)
    shown, written = _passes(size, stage, resources, text_tokens)
    activations = activation_bytes(size, stage, *shown)
    backward = activations + logit_bytes(size, stage, *written)
    backward += bucket_bytes(stage, resources, modules + (0 if cached else parameters["vision"]))
    workspace = max(backward, step_bytes(stage, resources, trained)) - activations
    reserved = reserved_bytes(resources)
    return Memory(weights, encoder, gradients, optimizer, activations, workspace + reserved, host)


def reserved_bytes(resources: ResourceSpec) -> int:
    """Return the bytes of a GPU that no tensor can have; 0 without one."""
    return RUNTIME_BYTES + FRAGMENT_BYTES if resources.gpus_per_worker else 0


def _passes(
    size: ModelSize, stage: StageSpec, resources: ResourceSpec, text_tokens: int
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the records of a forward pass and their text tokens: of that with most images, and of that with most text.

    Both are the micro-batch of the longest texts, unless records are packed: a full row may hold images with hardly any
    text, or one text.
    """
    if stage.packing is None:
        records = micro_batch(stage, resources), text_tokens
        return records, records
    row, shortest = stage.packing.tokens, sequence(size, 1)
    images = max(1, row // shortest)
    return (images, row // images - sequence(size, 0)), (1, row - 1)


def bytes_of_number(stage: StageSpec) -> int:
    """Return the bytes of one number of weights, gradients and activations."""
    match stage.precision:
        case "fp32":
            return FP32
        case "bf16":
            return 2
        case _:
            assert_never(stage.precision)


def optimizer_bytes(stage: StageSpec, resources: ResourceSpec, trained: int) -> int:
    """Compute the bytes of optimizer states and master weights in fp32, of all workers together.

    DeepSpeed keeps masters from ZeRO 1 on, hence for every bf16 stage, and in fp32 a second copy of the weights
    (`single_partition_of_fp32_groups` of runtime/zero/stage_1_and_2.py).
    """
    has_masters = zero_stage(stage, resources) > 0
    return FP32 * (stage.optimizer.states + has_masters) * trained


def checkpoint_bytes(stage: StageSpec, trained: int) -> int:
    """Compute the bytes of a step checkpoint, of all workers together: masters and optimizer states in fp32."""
    return FP32 * (1 + stage.optimizer.states) * trained


def host_copy_bytes(stage: StageSpec, resources: ResourceSpec, trained: int) -> int:
    """Compute the bytes of host memory from which a worker's part of a step checkpoint is written in the background.

    Args:
        stage: what is trained.
        resources: workers, and how checkpoints are written.
        trained: parameters that are trained.
    """
    match checkpoint_form(resources):
        case "wait":
            return 0
        case "background":
            return checkpoint_bytes(stage, trained) // resources.workers
        case unreachable:
            assert_never(unreachable)


def activation_bytes(size: ModelSize, stage: StageSpec, micro: int, text_tokens: int) -> int:
    """Compute the bytes saved for the backward pass by one micro-batch of images with the longest text.

    With activation checkpointing a layer keeps its input, and one layer at a time is computed again (Chen et
    al. 2016, arXiv 1604.06174). Attention is computed by a kernel that keeps no table of scores.

    Args:
        size: of the model.
        stage: what is trained.
        micro: records of a micro-batch.
        text_tokens: of the longest text.
    """
    number, tokens = bytes_of_number(stage), micro * sequence(size, text_tokens)
    layers = size.language.layers
    adapters = stage_adapters(size, stage).saved_bytes(number) // layers
    layer = tokens * (decoder_layer_bytes(size, number) + adapters)
    total = layers * tokens * size.width * number + layer if stage.activation_checkpointing else layers * layer
    total += micro * size.image_tokens * sum(layer.saved for layer in size.projector_layers) * number
    if "vision" in stage.trains:
        for encoder in size.encoders:
            if isinstance(encoder.shape, VitShape):
                block = encoder_block_bytes(encoder.shape, encoder.width, number)
                blocks = encoder.shape.depth - 1
                kept = blocks * encoder.width * number + block if stage.activation_checkpointing else blocks * block
                total += micro * encoder.tokens * kept
    return total


def sequence(size: ModelSize, text_tokens: int) -> int:
    """Count the positions of a record: beginning of sequence, image, text."""
    return 1 + size.image_tokens + text_tokens


def decoder_layer_bytes(size: ModelSize, number: int) -> int:
    """Compute the bytes saved per position by a decoder layer of transformers 5.23 with scaled-dot-product attention.

    Llama, Mistral: two RMS norms (fp32 copy of the input, normalised value), inputs of the projections, q, k, v and the
    attention's output, and four tensors of the gated MLP. Phi: one layer norm for both branches, an MLP whose GELU
    keeps five tensors.
    """
    width, kv, mlp = size.width, kv_width(size.width, size.language), size.language.mlp
    match size.family:
        case "llama" | "mistral":
            norms = 2 * (FP32 + number) * width if number < FP32 else 2 * number * width
            return norms + number * (5 * width + 2 * kv + 4 * mlp)
        case "phi":
            return number * (5 * width + 2 * kv + 5 * mlp)
        case _:
            assert_never(size.family)


def encoder_block_bytes(shape: VitShape, width: int, number: int) -> int:
    """Compute the bytes saved per token by one encoder block of timm 1.0.31.

    It saves two layer norms, q, k, v, attention's output, the MLP and layer scales.

    Args:
        shape: of the encoder.
        width: of a token.
        number: bytes of one number.
    """
    return number * ((8 + 2 * shape.layer_scale) * width + 2 * shape.mlp)


def logit_bytes(size: ModelSize, stage: StageSpec, micro: int, text_tokens: int) -> int:
    """Compute the bytes of the logits of target tokens; every token of the text is taken for a target.

    They exist once, in the stage's precision; their gradient replaces them. In fp32 there are three copies of those of
    some tokens at a time: log-probabilities, and the gradients of these and of the logits.

    Args:
        size: of the model.
        stage: what is trained.
        micro: records of a micro-batch.
        text_tokens: of the longest text.
    """
    logits = micro * text_tokens * size.language.rows
    return logits * bytes_of_number(stage) + min(logits, LOGITS_AT_ONCE) * 3 * FP32


def bucket_bytes(stage: StageSpec, resources: ResourceSpec, parameters: int) -> int:
    """Compute the bytes of ZeRO's buffers: two buckets of gradients in flight, and in ZeRO 3 gathered weights.

    Args:
        stage: what is trained.
        resources: ZeRO stage and a user's DeepSpeed settings.
        parameters: of all modules of the model.
    """
    zero = zero_stage(stage, resources)
    if zero == 0 or not resources.gpus_per_worker:
        return 0
    own = resources.deepspeed.get("zero_optimization", {})
    elements = 2 * int(own.get("reduce_bucket_size", REDUCE_BUCKET))
    if zero == 3:
        live = int(own.get("stage3_max_live_parameters", LIVE_PARAMETERS))
        elements += min(parameters, live) + int(own.get("stage3_prefetch_bucket_size", PREFETCHED_PARAMETERS))
    return elements * bytes_of_number(stage)


def step_bytes(stage: StageSpec, resources: ResourceSpec, trained: int) -> int:
    """Compute the bytes of gradients in fp32 while the optimizer steps: by then activations are gone.

    Args:
        stage: what is trained.
        resources: workers and ZeRO stage.
        trained: parameters that are trained.
    """
    if bytes_of_number(stage) == FP32 or "optimizer" in resources.offloaded:
        return 0
    share = trained // resources.workers
    return FP32 * (min(share, 1_000_000_000) if resources.zero == 3 else share)


# ---------------------------------------------------------------- what would fit


def nearest_fitting(
    size: ModelSize, stage: StageSpec, resources: ResourceSpec, text_tokens: int, cached: bool, gpu_bytes: int
) -> str | None:
    """Find the smallest change of a resource request that fits a GPU.

    Micro-batch, ZeRO stage and offload change rounding only, so none of them makes another experiment.

    Args:
        size: of the model.
        stage: what is trained.
        resources: the request.
        text_tokens: of the longest text.
        cached: features of the encoder come from a cache, the encoder is not there.
        gpu_bytes: memory of the GPU.

    Returns:
        The change for people, as ``zero: 2, micro_batch: 4``; None where none of those that are offered fits.
    """
    tried = sorted(_changes(stage, resources), key=lambda change: change[0])
    for _, changed in tried:
        if stage_memory(size, stage, changed, text_tokens, cached).total <= gpu_bytes:
            wanted = {name: getattr(changed, name) for name in ("zero", "offload", "micro_batch")}
            return ", ".join(f"{name}: {value}" for name, value in wanted.items() if value != getattr(resources, name))
    return None


def _changes(stage: StageSpec, resources: ResourceSpec) -> Iterator[tuple[float, ResourceSpec]]:
    """List requests of the same workers that keep all laws, with how far they are from the given one."""
    offloads: tuple[Offload, ...] = get_args(Offload)
    more_offload = offloads[offloads.index(resources.offload) :]
    share, micro = stage.global_batch // resources.workers, micro_batch(stage, resources)
    sizes = [size for size in range(micro, 0, -1) if share % size == 0]
    for (halvings, size), zero, (more, offload) in itertools.product(
        enumerate(sizes), range(resources.zero, 4), enumerate(more_offload)
    ):
        whole = resources.micro_batch if size == micro else size
        change = resources.model_copy(update={"zero": zero, "offload": offload, "micro_batch": whole})
        if (not change.offloaded or zero > 0) and ("params" not in change.offloaded or zero == 3):
            yield (zero - resources.zero) + 1.5 * halvings + 3 * more, change
