"""Define the forms of the check: the full one for a GPU, and a small one that shows on a CPU that the check runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """Sizes of everything that the check trains, asks and multiplies."""

    study: tuple[str, ...]
    """Changes to the study file, as `--set` takes them."""
    steps: int
    """Optimizer steps of a layout of micro-batches; the first third is not counted."""
    few_steps: int
    """Optimizer steps where losses or memory matter and times do not."""
    micro_batches: tuple[int, ...]
    """Ways to cut the global batch, the whole of it first."""
    zero_stages: tuple[int, ...]
    """That are compared in bf16; the first is what the others are compared with."""
    packed_positions: int
    """Longest row of packed records."""
    longest_text: int
    """Tokens."""
    mean_text: float
    """Tokens, of texts with log-normal lengths."""
    picture: tuple[int, int]
    """Width and height in px."""
    records: int
    own_pictures: int
    """Questions with a picture each."""
    shared_pictures: int
    """Pictures with eight questions each."""
    matrix: int
    """Side of the square matrices whose product shows the reachable peak."""
    attention: tuple[int, int, int, int]
    """Batch, heads, positions and width of a head."""


FULL = Form(
    study=(),
    steps=12,
    few_steps=6,
    micro_batches=(16, 8, 4, 2),
    zero_stages=(0, 1, 2, 3),
    packed_positions=4096,
    longest_text=2048,
    mean_text=256.0,
    picture=(640, 480),
    records=192,
    own_pictures=256,
    shared_pictures=64,
    matrix=8192,
    attention=(16, 32, 896, 128),
)

SMALL = Form(
    study=(
        "base.language=gpu-check-2x64",
        "base.vision.backbone=gpu-check-vit",
        "base.vision.tokens=25",
        "base.max_steps=4",
        "recipe.align.global_batch=8",
        "recipe.finetune.global_batch=8",
        "resources.cpus_per_worker=1",
    ),
    steps=2,
    few_steps=4,
    micro_batches=(8, 2),
    zero_stages=(0, 3),
    packed_positions=256,
    longest_text=128,
    mean_text=48.0,
    picture=(160, 120),
    records=32,
    own_pictures=8,
    shared_pictures=2,
    matrix=256,
    attention=(2, 4, 64, 16),
)
