"""Vision encoders: any timm architecture, as a module from pixels to a square grid of patch features."""

from __future__ import annotations

from pathlib import Path

import timm
import torch
from safetensors.torch import load_file
from timm.layers import resample_abs_pos_embed
from torch import Tensor, nn

from search_spaces.errors import InputError
from search_spaces.spec import VisionSpec
from trainables.model.seeding import seeded
from trainables.model.weights import find_weights


class VisionEncoder(nn.Module):
    """Pixels B x 3 x R x R to features B x P x C, with P = grid^2, in row-major order.

    Transformers give the output of their second-to-last block, without class and register tokens, as LLaVA and
    Prismatic do; convolutional encoders the map whose stride is `vision.patch`.
    """

    def __init__(self, vision: VisionSpec):
        super().__init__()
        self.vision = vision
        self.tower = timm.create_model(vision.arch, pretrained=False, num_classes=0, **vision.options)
        if vision.family == "vit":
            self._layer = len(self.tower.blocks) - 2
        else:
            strides = [level["reduction"] for level in self.tower.feature_info]
            if vision.patch not in strides:
                raise InputError(
                    f"vision.stride must be one of {sorted(set(strides))} for {vision.arch}, but got {vision.patch}"
                )
            self._layer = max(i for i, stride in enumerate(strides) if stride == vision.patch)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        if self.vision.family == "conv" and self.vision.width == self.tower.num_features:
            features_BCHW: Tensor = self.tower.forward_features(image_BCHW)
            return features_BCHW.flatten(2).transpose(1, 2)
        (features,) = self.tower.forward_intermediates(
            image_BCHW, indices=[self._layer], intermediates_only=True, output_fmt="NCHW", stop_early=True
        )
        return features.flatten(2).transpose(1, 2)  # type: ignore[no-any-return]


def build_vision(vision: VisionSpec, seed: int, data_root: Path) -> VisionEncoder:
    """An encoder with its weights: pretrained ones from their declared origin, random ones from the seed."""
    with seeded("vision", seed):
        encoder = VisionEncoder(vision)
    if vision.checkpoint is not None:
        _load(encoder.tower, vision, find_weights(vision.checkpoint, data_root))
    return encoder.eval()


def _load(tower: nn.Module, vision: VisionSpec, path: Path) -> None:
    """Strictly load weights by name, or by order where a file has other names for the same tensors.

    Only heads are passed over: the encoder is built without one. Positions of another resolution are interpolated where
    the study asks for it.
    """
    weights = _read(path)
    wanted = tower.state_dict()
    if not set(wanted) <= set(weights):
        weights = dict(zip(wanted, weights.values(), strict=False))  # the head's tensors come last
    if vision.interpolate and "pos_embed" in weights:
        weights["pos_embed"] = resample_abs_pos_embed(
            weights["pos_embed"],
            new_size=[vision.grid, vision.grid],
            num_prefix_tokens=0 if getattr(tower, "no_embed_class", False) else tower.num_prefix_tokens,
        )
    chosen = {name: weights[name] for name in wanted if name in weights}
    wrong = [name for name in wanted if name not in chosen or chosen[name].shape != wanted[name].shape]
    if wrong:
        raise InputError(
            f"the weights must fit the architecture, but {len(wrong)} tensors do not (the first: {wrong[0]})",
            place=str(path),
        )
    tower.load_state_dict(chosen, strict=True)


def _read(path: Path) -> dict[str, Tensor]:
    """Tensors of a file, or of the one file of weights in a folder, as hubs keep them."""
    if path.is_dir():
        found = [path / name for name in ("model.safetensors", "pytorch_model.bin") if (path / name).exists()]
        if not found:
            raise InputError("must hold model.safetensors or pytorch_model.bin", place=str(path))
        path = found[0]
    if path.suffix == ".safetensors":
        return load_file(path)
    return dict(torch.load(path, map_location="cpu", weights_only=True))
