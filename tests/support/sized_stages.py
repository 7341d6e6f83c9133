"""A stage of a 7B model as Prismatic VLMs train it, for claims about memory and cost."""

from __future__ import annotations

from typing import Any

from search_spaces.sizes import EncoderSize, LanguageShape, ModelSize, VitShape
from search_spaces.spec import MixPart, MixSpec, OptimizerSpec, ProjectorSpec, SourceSpec, StageSpec

CLIP = VitShape(depth=24, heads=16, mlp=4096, patch_bias=False, norm_pre=True)
LLAMA_7B = LanguageShape(layers=32, heads=32, kv_heads=32, mlp=11008, vocabulary=32000)
SIZE_7B = ModelSize(
    (EncoderSize(CLIP, 14, 1024, 24),), 576, ProjectorSpec(kind="gelu-mlp"), LLAMA_7B, "llama", 4096
)  # fmt: skip


TRAINED = 6_738_415_616 + 20_979_712
"""Projector and language model."""


def sized_stage(**changes: Any) -> StageSpec:
    """Describe a stage of a 7B model as Prismatic trains it, but for these fields."""
    data = MixSpec(name="mix", parts=(MixPart(source=SourceSpec(name="s", version="1", reader="llava")),))
    fields: dict[str, Any] = {
        "name": "finetune", "trains": ("projector", "language"), "data": data, "max_steps": 10, "global_batch": 128,
        "optimizer": OptimizerSpec(lr=2e-5), "precision": "bf16", "activation_checkpointing": True,
    }  # fmt: skip
    return StageSpec(**(fields | changes))
