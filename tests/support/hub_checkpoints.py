"""Random checkpoints at toy width in the hub's own format, saved by timm itself, heads included."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import timm
import torch

from search_spaces.spec import VisionSpec
from tests.support.tiny_specs import vision

TINY = {"embed_dim": 32, "depth": 4, "num_heads": 2}
SIDE = 56
"""Side in px at which the encoders are used."""


@dataclass(frozen=True)
class Family:
    """An architecture of timm with the shape of its real checkpoints."""

    arch: str
    patch: int = 14
    native: int = SIDE
    """Side in px that the checkpoint is made for."""
    head: int = 0
    """Outputs of the head that the hub's file holds."""
    mean: float = 0.5
    options: dict[str, Any] = field(default_factory=dict)


FAMILIES = {
    "clip": Family("vit_large_patch14_clip_quickgelu_336", head=24, mean=0.48),
    "siglip": Family("vit_so400m_patch14_siglip_384"),
    "dinov2": Family("vit_large_patch14_reg4_dinov2", native=84, mean=0.44),
    "in1k": Family("vit_large_patch16_224", patch=16, native=64, head=10),
}
PAIRS = {"dino+clip": ("dinov2", "clip"), "dino+siglip": ("dinov2", "siglip")}


def save_checkpoint(name: str, data_root: Path) -> str:
    """Put a checkpoint of a family where a copy of the hub's is looked for; returns its origin."""
    family = FAMILIES[name]
    torch.manual_seed(len(name))
    model = timm.create_model(family.arch, num_classes=family.head, img_size=family.native, **TINY, **family.options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
    timm.models.save_for_hf(model, str(data_root / "hub" / "timm" / name), safe_serialization=True)
    return f"hub:timm/{name}"


def encoder_spec(name: str, data_root: Path, **changes: Any) -> VisionSpec:
    """Describe a family, or a pair of them, with checkpoints saved below `data_root`."""
    if name in PAIRS:
        parts = tuple(encoder_spec(part, data_root, **changes) for part in PAIRS[name])
        width = sum(part.width for part in parts)
        return parts[0].model_copy(
            update={"family": "fused", "checkpoint": None, "width": width, "parts": parts, "options": {}}
        )
    family = FAMILIES[name]
    resolution = changes.pop("resolution", SIDE if SIDE % family.patch == 0 else family.native)
    fields = {
        "arch": family.arch,
        "family": "vit",
        "weights": "pretrained",
        "checkpoint": save_checkpoint(name, data_root),
        "resolution": resolution,
        "interpolate": resolution != family.native,
        "patch": family.patch,
        "width": TINY["embed_dim"],
        "tokens": (resolution // family.patch) ** 2,
        "mean": (family.mean,) * 3,
        "options": {**TINY, **family.options, "img_size": resolution},
    }
    return vision(**(fields | changes))
