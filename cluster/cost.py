"""Estimate what a stage costs: operations, GPU-hours, disk. Every assumption is a named argument.

A matrix product of m x k and k x n numbers is 2 m k n operations; the backward pass computes two such products for each
of the forward pass, one where the weights are frozen (Narayanan et al. 2021, arXiv 2104.04473, appendix; Chowdhery et
al. 2022, arXiv 2204.02311, appendix B). Norms, activations and embeddings are left out: they are below a percent.
"""

from __future__ import annotations

from dataclasses import dataclass

from cluster.memory import FP32, bytes_of_number, checkpoint_bytes, sequence
from search_spaces.resources import KEPT_CHECKPOINTS
from search_spaces.sizes import (
    ConvShape,
    EncoderSize,
    ModelSize,
    VitShape,
    decoder_linears,
    vit_block_parameters,
)
from search_spaces.spec import StageSpec
from search_spaces.trained_sizes import stage_adapters, trained_parameters, trains_own_weights

TEXT_TOKENS = 256
"""Mean length of a text, assumed where nothing better is known. With it, `cluster.padding` and what
an A100 reaches (`gpus.yaml`), `one-stage+7b` of Prismatic VLMs
comes out at the "less than 9 hours on 8 A100" of the paper's impact statement (a test holds it to that)."""


@dataclass(frozen=True, slots=True)
class Operations:
    """Floating-point operations of one record with an image."""

    forward: int
    backward: int
    recomputed: int
    """Of the forward pass, again, where activations are checkpointed."""

    @property
    def model(self) -> int:
        """Operations that the mathematics needs: MFU counts these."""
        return self.forward + self.backward


def operations(size: ModelSize, stage: StageSpec, text_tokens: int, cached: bool) -> Operations:
    """Count the floating-point operations of training on one record with an image.

    Args:
        size: of the model.
        stage: what is trained.
        text_tokens: mean length of a text; all of it is taken for targets.
        cached: features come from a cache.
    """
    vision = 0 if cached else sum(map(encoder_operations, size.encoders))
    projector = size.image_tokens * sum(layer.operations for layer in size.projector_layers)
    layers, scores = decoder_operations(size, text_tokens)
    head = 2 * size.width * size.language.rows * text_tokens
    adapters = stage_adapters(size, stage).operations(sequence(size, text_tokens))
    factor = 2 if trains_own_weights(stage, "language") else 1  # through frozen weights a gradient still has to pass
    backward = factor * (layers + head) + 2 * (scores + adapters)
    backward += 2 * projector if {"vision", "projector"} & set(stage.trains) else 0
    backward += 2 * vision if "vision" in stage.trains else 0
    repeated = layers + scores + adapters + (vision if "vision" in stage.trains else 0)
    recomputed = repeated if stage.activation_checkpointing else 0
    return Operations(vision + projector + layers + scores + adapters + head, backward, recomputed)


def evaluation_operations(size: ModelSize, images: int, questions: int, text_tokens: int, cached: bool) -> int:
    """Count the floating-point operations of answering the questions of a benchmark.

    What an image needs is computed once for all questions about it. The tokens of a generated answer count as part of
    its question's text.

    Args:
        size: of the model.
        images: that the questions are about.
        questions: number of them.
        text_tokens: mean length of a question with its answer.
        cached: features come from a cache.
    """
    vision = 0 if cached else sum(map(encoder_operations, size.encoders))
    projector = size.image_tokens * sum(layer.operations for layer in size.projector_layers)
    before, whole = sum(decoder_operations(size, 0)), sum(decoder_operations(size, text_tokens))
    head = 2 * size.width * size.language.rows
    return images * (vision + projector + before) + questions * (whole - before + head)


def decoder_operations(size: ModelSize, text_tokens: int) -> tuple[int, int]:
    """Count the forward operations of all decoder layers for one record: with weights, and of attention scores.

    Scores are counted for the whole square of positions: with a padding mask kernels compute it all.
    """
    layers, positions = size.language.layers, sequence(size, text_tokens)
    linears = decoder_linears(size.family, size.width, size.language).values()
    weights = layers * sum(inner * outer for inner, outer in linears)
    return 2 * weights * positions, 4 * layers * positions**2 * size.width


def encoder_operations(encoder: EncoderSize) -> int:
    """Count the forward operations of one image, up to the block whose output is used: the second to last."""
    if isinstance(encoder.shape, ConvShape):
        return round(2 * encoder.shape.macs * encoder.scale)
    shape: VitShape = encoder.shape
    blocks = (shape.depth - 1) * encoder.tokens
    patches = 2 * encoder.grid**2 * 3 * encoder.patch**2 * encoder.width
    return patches + blocks * (2 * vit_block_parameters(shape, encoder.width) + 4 * encoder.tokens * encoder.width)


def gpu_hours(operations_per_record: float, records: int, peak_tflops: float, mfu: float) -> float:
    """Estimate the GPU-hours of training.

    Args:
        operations_per_record: floating-point operations for one record, those on its padding included.
        records: that are trained on, repeats included.
        peak_tflops: of the GPU at the stage's precision, in 1e12 operations a second.
        mfu: share of the peak that is reached, in (0, 1].
    """
    return operations_per_record * records / (peak_tflops * 1e12 * mfu) / 3600


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes on storage."""

    step_checkpoint: int
    """One of those that are written while a stage runs; two are kept, and a third is there while it is written."""
    handed_on: int
    """What a finished stage leaves: safetensors of what it trained."""

    @property
    def running(self) -> int:
        """The most that the stage needs while it runs."""
        return (KEPT_CHECKPOINTS + 1) * self.step_checkpoint + self.handed_on


def stage_disk(size: ModelSize, stage: StageSpec, steps: int | None) -> Disk:
    """Compute the bytes that a stage writes to storage.

    Trained weights only, in the stage's precision; a step checkpoint has them in fp32, with the optimizer's states. A
    stage with adapters hands on the whole language model with the adapters merged: the weights they change in fp32.

    Args:
        size: of the model.
        stage: what is trained.
        steps: of the stage; None if they are not known. All stages but those of one step may write step checkpoints:
            they are also written by time.
    """
    number, trained = bytes_of_number(stage), trained_parameters(size, stage)
    written = steps is None or steps > 1
    checkpoint = checkpoint_bytes(stage, trained) if written else 0
    handed_on = number * trained
    if "language" in stage.trains and not trains_own_weights(stage, "language"):
        adapters = stage_adapters(size, stage)
        handed_on += number * (size.parameters["language"] - adapters.parameters) + (FP32 - number) * adapters.adapted
    return Disk(checkpoint, handed_on)
