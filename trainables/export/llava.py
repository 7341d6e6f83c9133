"""Convert a trained model to the LLaVA classes of transformers: the same weights in other modules.

LLaVA of transformers is one CLIP or SigLIP tower, read at its second-to-last block, a projector of two layers, and a
language model. A model that is built so is converted weight by weight; any other is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from timm.layers import QuickGELU
from torch import Tensor, nn
from transformers import (
    CLIPVisionConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    SiglipVisionConfig,
)

from search_spaces.errors import InputError
from search_spaces.spec import TrialSpec, VisionSpec
from trainables.model.vision import Tower
from trainables.model.vlm import VLM

IMAGE_TOKEN = "<image>"
"""Placeholder of one visual token in a text."""
_OTHER_FORM = "`--to hf-own-code` exports any model, with its code."
_LAYERS = ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
_BLOCK = {f"{layer}.{kind}" for layer in _LAYERS for kind in ("weight", "bias")}
"""Weights of a block of a vision transformer that LLaVA's towers have; others would be left out."""


def unsupported_reason(spec: TrialSpec, tower: Any) -> str | None:
    """Return the reason why LLaVA's classes cannot hold a model, or None if they can.

    `tower` is the timm model of its encoder; None for an encoder of several towers.
    """
    vision, projector = spec.vision, spec.projector
    if vision.parts:
        return f"LLaVA has one tower, but {vision.backbone} has {len(vision.parts)}"
    if vision.family != "vit":
        return f"LLaVA has vision transformers only, but {vision.backbone} is a convolutional encoder"
    if _flavour(tower) is None:
        return f"LLaVA has CLIP and SigLIP towers, but {vision.backbone} ({vision.arch}) is built otherwise"
    if vision.tokens != vision.grid**2:
        return f"LLaVA has all {vision.grid**2} visual tokens of the grid, but here they are pooled to {vision.tokens}"
    if (projector.kind, projector.layers) != ("gelu-mlp", 2):
        design = f"{projector.kind} of {projector.layers} layers"
        return f"LLaVA has a projector of two layers (gelu-mlp), but here it is {design}"
    return None


def to_llava(model: VLM, spec: TrialSpec, image_token: int) -> LlavaForConditionalGeneration:
    """Convert a model to LLaVA's modules, in the precision of `model`; its weights are copied.

    Args:
        model: model with its encoder, on the CPU.
        spec: specification of the trial that it was built from.
        image_token: id of the placeholder; the embedding must have a row for it.

    Raises:
        InputError: LLaVA's classes cannot hold it (`unsupported_reason`).
    """
    tower: Any = model.vision.tower if isinstance(model.vision, Tower) else None
    reason = unsupported_reason(spec, tower)
    if reason is not None:
        raise InputError(reason, key="--to", way_out=_OTHER_FORM)
    language: Any = model.language
    config = LlavaConfig(
        vision_config=_vision_config(spec.vision, tower),
        text_config=language.config,
        image_token_index=image_token,
        image_seq_length=spec.vision.tokens,
        projector_hidden_act="gelu",
        vision_feature_layer=-2,
        vision_feature_select_strategy="default" if tower.num_prefix_tokens else "full",
        tie_word_embeddings=language.config.tie_word_embeddings,
    )
    with torch.device("meta"):
        llava = LlavaForConditionalGeneration(config)
    weights = dict(_weights(model, tower))
    buffers = {name: buffer for name, buffer in llava.named_buffers() if name not in weights}
    _check_counterparts(weights, llava.state_dict(), spec)
    llava.load_state_dict(weights, assign=True)
    _restore_buffers(llava, buffers, language)
    return llava.eval()


def _check_counterparts(weights: Mapping[str, Tensor], theirs: Mapping[str, Tensor], spec: TrialSpec) -> None:
    """Raise InputError unless every weight of the model has one of its shape in LLaVA's classes, and none is left."""
    odd = sorted(name for name in weights.keys() & theirs.keys() if weights[name].shape != theirs[name].shape)
    for what, names in (
        ("have no place in them", sorted(weights.keys() - theirs.keys())),
        ("of theirs are not in it", sorted(theirs.keys() - weights.keys())),
        ("have another shape in them", odd),
    ):
        if names:
            model = f"{spec.vision.backbone} with {spec.language.name}"
            law = f"LLaVA's classes must hold all weights, but of {model} {len(names)} {what} ({names[0]} first)"
            raise InputError(law, key="--to", way_out=_OTHER_FORM)


def _flavour(tower: Any) -> str | None:
    """Classify a transformer by its layers as `clip` or `siglip`; None for any other."""
    blocks = getattr(tower, "blocks", ())
    plain = len(blocks) > 0 and all(block.state_dict().keys() == _BLOCK for block in blocks)
    if not plain or getattr(tower, "reg_token", None) is not None:
        return None
    has_norm_before = not isinstance(tower.norm_pre, nn.Identity)
    if tower.num_prefix_tokens == 1 and has_norm_before and tower.patch_embed.proj.bias is None:
        return "clip"
    if tower.num_prefix_tokens == 0 and not has_norm_before and tower.patch_embed.proj.bias is not None:
        return "siglip"
    return None


def _vision_config(vision: VisionSpec, tower: Any) -> Any:
    block = tower.blocks[0]
    shared = {
        "hidden_size": vision.width,
        "intermediate_size": block.mlp.fc1.out_features,
        "num_hidden_layers": len(tower.blocks),
        "num_attention_heads": block.attn.num_heads,
        "image_size": vision.resolution,
        "patch_size": vision.patch,
        "hidden_act": _activation(block.mlp.act),
        "layer_norm_eps": block.norm1.eps,
    }
    if _flavour(tower) == "clip":
        return CLIPVisionConfig(**shared)
    return SiglipVisionConfig(**shared, vision_use_head=False)


def _activation(act: nn.Module) -> str:
    if isinstance(act, QuickGELU):
        return "quick_gelu"
    if isinstance(act, nn.GELU):
        return "gelu_pytorch_tanh" if act.approximate == "tanh" else "gelu"
    raise InputError(f"LLaVA's towers have GELU activations, but this one has {type(act).__name__}", key="--to")


def _weights(model: VLM, tower: Any) -> Iterator[tuple[str, Tensor]]:
    """Iterate over all weights of the model under their names in LLaVA."""
    yield from ((f"model.vision_tower.{name}", value) for name, value in _tower_weights(tower))
    projector: Any = model.projector
    for name, layer in (("linear_1", projector[0]), ("linear_2", projector[2])):
        yield f"model.multi_modal_projector.{name}.weight", layer.weight.detach()
        yield f"model.multi_modal_projector.{name}.bias", layer.bias.detach()
    language: Any = model.language
    for name, value in language.state_dict().items():
        inner = name.removeprefix(f"{language.base_model_prefix}.")
        yield (f"model.language_model.{inner}" if inner != name else name), value


def _tower_weights(tower: Any) -> Iterator[tuple[str, Tensor]]:
    state: dict[str, Tensor] = tower.state_dict()
    is_clip = _flavour(tower) == "clip"
    yield "embeddings.patch_embedding.weight", state["patch_embed.proj.weight"]
    if is_clip:
        yield "embeddings.class_embedding", state["cls_token"].flatten()
        yield from _norm("pre_layrnorm", "norm_pre", state)
    else:
        yield "embeddings.patch_embedding.bias", state["patch_embed.proj.bias"]
    yield "embeddings.position_embedding.weight", state["pos_embed"].squeeze(0)
    for number in range(len(tower.blocks)):
        ours, theirs = f"blocks.{number}.", f"encoder.layers.{number}."
        yield from _norm(f"{theirs}layer_norm1", f"{ours}norm1", state)
        yield from _norm(f"{theirs}layer_norm2", f"{ours}norm2", state)
        for kind in ("weight", "bias"):
            parts = state[f"{ours}attn.qkv.{kind}"].chunk(3)
            for name, part in zip("qkv", parts, strict=True):
                yield f"{theirs}self_attn.{name}_proj.{kind}", part
            yield f"{theirs}self_attn.out_proj.{kind}", state[f"{ours}attn.proj.{kind}"]
            yield f"{theirs}mlp.fc1.{kind}", state[f"{ours}mlp.fc1.{kind}"]
            yield f"{theirs}mlp.fc2.{kind}", state[f"{ours}mlp.fc2.{kind}"]
    yield from _norm("post_layernorm", "norm", state)


def _norm(theirs: str, ours: str, state: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    yield f"{theirs}.weight", state[f"{ours}.weight"]
    yield f"{theirs}.bias", state[f"{ours}.bias"]


def _restore_buffers(llava: nn.Module, buffers: dict[str, Tensor], language: Any) -> None:
    """Set the buffers that no file holds: position ids count up, rotary tables are the language model's own."""
    own = dict(language.named_buffers())
    prefix = f"{language.base_model_prefix}."
    for name, buffer in buffers.items():
        holder = llava.get_submodule(name.rpartition(".")[0])
        short = name.rpartition(".")[2]
        if short == "position_ids":
            holder.register_buffer(short, torch.arange(buffer.numel()).expand(buffer.shape), persistent=False)
        else:
            inner = name.removeprefix("model.language_model.")
            holder.register_buffer(short, own.get(prefix + inner, own.get(inner)), persistent=False)
