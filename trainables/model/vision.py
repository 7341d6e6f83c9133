"""Build vision encoders: any timm architecture, or several side by side, from pixels to a square grid of features.

Shapes: B images, R their side in px, P = grid^2 positions in row-major order, C the length of a feature.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import assert_never

import timm
import torch
from safetensors.torch import load_file
from timm.layers import resample_abs_pos_embed
from torch import Tensor, nn

from search_spaces.errors import InputError
from search_spaces.spec import VisionSpec
from trainables.model.seeding import seeded
from trainables.model.weights import find_weights


class VisionEncoder(nn.Module, ABC):
    """Vision encoder from pixels B x 3k x R x R to features B x P x C; k is the number of towers."""

    def __init__(self, vision: VisionSpec):
        super().__init__()
        self.vision = vision

    def blank_image(self, like: Tensor) -> Tensor:
        """Return an image of zeros, 1 x 3k x R x R, with the type and device of a tensor."""
        side = self.vision.resolution
        return like.new_zeros(1, 3 * len(self.vision.towers), side, side)

    @abstractmethod
    def set_grad_checkpointing(self) -> None:
        """Enable activation checkpointing: activations inside blocks are computed again in the backward pass."""

    @abstractmethod
    def unused_parameters(self) -> set[str]:
        """Name the parameters that no feature depends on: those after the layer that is read."""


class Tower(VisionEncoder):
    """Vision encoder of one timm model.

    Transformers give the output of their second-to-last block, without class and register tokens and without the final
    norm, as LLaVA and Prismatic do; convolutional encoders the map whose stride is `vision.patch`.
    """

    def __init__(self, vision: VisionSpec):
        super().__init__(vision)
        self.tower = timm.create_model(vision.arch, pretrained=False, num_classes=0, **vision.options)
        match vision.family:
            case "vit":
                self.layer, self.is_whole = -2, False
            case "conv":
                self.layer, self.is_whole = self._map_of_stride(vision)
            case "fused":
                raise ValueError(f"{vision.backbone} has several towers, each of which is built by itself")
            case _:
                assert_never(vision.family)

    def _map_of_stride(self, vision: VisionSpec) -> tuple[int, bool]:
        """Find the feature map of stride `vision.patch`: its index, and whether the net's output is read instead."""
        strides = [level["reduction"] for level in self.tower.feature_info]
        if vision.patch not in strides:
            raise InputError(
                f"vision.stride must be one of {sorted(set(strides))} for {vision.arch}, but got {vision.patch}"
            )
        layer = max(i for i, stride in enumerate(strides) if stride == vision.patch)
        return layer, vision.patch == max(strides) and vision.width == self.tower.num_features

    def forward(self, image_BCHW: Tensor) -> Tensor:
        if self.is_whole:  # some convolutional nets widen their last map once more
            features_BCHW: Tensor = self.tower.forward_features(image_BCHW)
        else:
            (features_BCHW,) = self.tower.forward_intermediates(
                image_BCHW, indices=[self.layer], intermediates_only=True, output_fmt="NCHW", stop_early=True
            )
        return features_BCHW.flatten(2).transpose(1, 2)

    def set_grad_checkpointing(self) -> None:
        self.tower.set_grad_checkpointing(True)

    def unused_parameters(self) -> set[str]:
        with torch.device("meta"):
            copy = Tower(self.vision).eval()
            side = self.vision.resolution
            copy(torch.zeros(1, 3, side, side)).sum().backward()
        return {name for name, parameter in copy.named_parameters() if parameter.grad is None}


class FusedEncoder(VisionEncoder):
    """Vision encoder of several towers, each with three channels of its own; features are concatenated along C."""

    def __init__(self, vision: VisionSpec):
        super().__init__(vision)
        self.parts = nn.ModuleList(Tower(part) for part in vision.parts)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        images = image_BCHW.chunk(len(self.parts), dim=1)
        return torch.cat([part(image) for part, image in zip(self.parts, images, strict=True)], dim=2)

    def towers(self) -> list[Tower]:
        return [part for part in self.parts if isinstance(part, Tower)]

    def set_grad_checkpointing(self) -> None:
        for tower in self.towers():
            tower.set_grad_checkpointing()

    def unused_parameters(self) -> set[str]:
        return {f"parts.{i}.{name}" for i, tower in enumerate(self.towers()) for name in tower.unused_parameters()}


def build_vision(vision: VisionSpec, seed: int, data_root: Path) -> VisionEncoder:
    """Build an encoder with its weights, in evaluation mode, in fp32 on the CPU.

    Args:
        vision: specification of the encoder.
        seed: seed of the trial, which random weights are drawn from.
        data_root: folder that declared origins of pretrained weights are relative to.

    Raises:
        InputError: pretrained weights are absent or do not fit the architecture.
    """
    with seeded("vision", seed):
        encoder = FusedEncoder(vision) if vision.parts else Tower(vision)
    towers = encoder.towers() if isinstance(encoder, FusedEncoder) else [encoder]
    for tower in towers:
        if tower.vision.checkpoint is not None:
            _load(tower.tower, tower.vision, find_weights(tower.vision.checkpoint, data_root))
    return encoder.eval()


def _load(tower: nn.Module, vision: VisionSpec, path: Path) -> None:
    """Load weights strictly by name, or by order where a file of torch has other names for the same tensors.

    Only heads are passed over: the encoder is built without one. Positions of another resolution are interpolated where
    the study asks for it, as timm does.
    """
    weights, is_ordered = _read(path)
    wanted = tower.state_dict()
    if is_ordered and not set(wanted) <= set(weights):
        weights = dict(zip(wanted, weights.values(), strict=False))  # the head's tensors come last
    if vision.interpolate and "pos_embed" in wanted.keys() & weights.keys() and _differ(weights, wanted, "pos_embed"):
        weights["pos_embed"] = resample_abs_pos_embed(
            weights["pos_embed"],
            new_size=[vision.grid, vision.grid],
            num_prefix_tokens=0 if getattr(tower, "no_embed_class", False) else tower.num_prefix_tokens,
        )
    chosen = {name: weights[name] for name in wanted if name in weights}
    wrong = [name for name in wanted if name not in chosen or _differ(chosen, wanted, name)]
    if wrong:
        raise InputError(
            f"the weights must fit the architecture {vision.arch}, but {len(wrong)} tensors do not"
            f" (the first: {wrong[0]})",
            place=str(path),
        )
    tower.load_state_dict(chosen, strict=True)


def _differ(weights: dict[str, Tensor], wanted: dict[str, Tensor], name: str) -> bool:
    return weights[name].shape != wanted[name].shape


def _read(path: Path) -> tuple[dict[str, Tensor], bool]:
    """Read the tensors of a file of weights, or of the one in a folder as hubs keep it.

    Returns:
        Tensors by name, and whether their order is the model's own (safetensors sorts).
    """
    if path.is_dir():
        files = [path / name for name in ("model.safetensors", "pytorch_model.bin") if (path / name).exists()]
        if not files:
            raise InputError("must hold model.safetensors or pytorch_model.bin", place=str(path))
        path = files[0]
    if path.suffix == ".safetensors":
        return load_file(path), False
    return dict(torch.load(path, map_location="cpu", weights_only=True)), True
