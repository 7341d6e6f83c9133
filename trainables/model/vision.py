"""Build vision encoders: any timm architecture, or several side by side, from pixels to a square grid of features.

Shapes: B images, R their side in px, P = grid^2 positions in row-major order, C the length of a feature.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import assert_never

import timm
import torch
from timm.layers import resample_abs_pos_embed
from torch import Tensor, nn

from search_spaces.errors import InputError
from search_spaces.spec import VisionSpec
from trainables.model.checkpoint_files import check_types, read_headers
from trainables.model.seeding import seeded
from trainables.model.torch_files import read_tensors
from trainables.model.unwritten import refuse_unwritten
from trainables.model.vision_weights import choose_tensors, encoder_file, prefix_positions
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


def check_encoder(vision: VisionSpec, data_root: Path) -> None:
    """Check that an encoder of one tower is what its specification says, and its weights are its own, without memory.

    Args:
        vision: specification of one tower.
        data_root: folder that declared origins of pretrained weights are relative to.

    Raises:
        InputError: timm does not build it, it gives other features than declared, or its weights do not fit.
    """
    tower = _on_meta(vision)
    if vision.checkpoint is not None:
        file = encoder_file(find_weights(vision.checkpoint, data_root))
        chosen = choose_tensors(tower, vision, read_headers(file), str(file))
        check_types(chosen, str(file), used=[name for name in chosen if tower.state_dict()[name].is_floating_point()])
        _weights(tower, vision, file)


def _on_meta(vision: VisionSpec) -> nn.Module:
    """Build the timm model of a tower without memory. Raises InputError if its features are not as declared."""
    key, side = f"backbones.{vision.backbone}", vision.resolution
    try:
        with torch.device("meta"):
            built = Tower(vision).eval()
            _, positions, width = built(torch.zeros(1, 3, side, side)).shape
    except InputError:
        raise
    except Exception as error:  # of timm's many models: whatever odd sizes and options lead to
        law = f"timm must build {vision.arch} for images of {side} px, but: {_one_line(error)}"
        raise InputError(law, key=key, way_out="Correct `arch`, `resolution`, `native` or `options` there.") from error
    if width != vision.width:
        legal = " or ".join(map(str, sorted({width, *_last_widths(built, vision)})))
        law = f"the width of {vision.arch} must be {legal}, as timm builds it, but got {vision.width}"
        raise InputError(law, key=key)
    patch = _patch(built, vision)
    if patch != vision.patch or positions != vision.grid**2:
        name = "patch" if vision.family == "vit" else "stride"
        law = f"the {name} of {vision.arch} must be {patch} px, as timm builds it, but got {vision.patch}"
        raise InputError(law, key=key)
    tower: nn.Module = built.tower
    return tower


def _last_widths(built: Tower, vision: VisionSpec) -> set[int]:
    """Return the width of a convolutional net's output, which is read in the place of its coarsest map if declared."""
    is_last = vision.family == "conv" and vision.patch == max(level["reduction"] for level in built.tower.feature_info)
    return {int(built.tower.num_features)} if is_last else set()


def _patch(built: Tower, vision: VisionSpec) -> int:
    """Return the patch size or output stride in px that timm gives for the layer that is read."""
    info = built.tower.feature_info
    return int(info[built.layer]["reduction"])


def _load(tower: nn.Module, vision: VisionSpec, path: Path) -> None:
    """Load weights strictly. Where a study asks for it, positions of another resolution are interpolated as by timm."""
    tower.load_state_dict(_weights(tower, vision, encoder_file(path)), strict=True)


def _weights(tower: nn.Module, vision: VisionSpec, file: Path) -> dict[str, Tensor]:
    """Read the weights of a timm model from a file. Raises InputError if they do not fit or are no finite numbers."""
    weights = choose_tensors(tower, vision, read_tensors(file), str(file))
    refuse_unwritten({name: part for name, part in weights.items() if part.is_floating_point()}, str(file))
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            law = f"weights must be finite numbers, but {name} has others (NaN or infinity)"
            raise InputError(law, place=str(file))
    positions = tower.state_dict().get("pos_embed")
    if positions is not None and weights["pos_embed"].shape != positions.shape:
        weights["pos_embed"] = resample_abs_pos_embed(
            weights["pos_embed"], new_size=[vision.grid, vision.grid], num_prefix_tokens=prefix_positions(tower)
        )
    return weights


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
