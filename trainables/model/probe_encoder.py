"""Derive a catalogue entry from a timm model: `python -m trainables.model.probe_encoder NAME` prints it as JSON.

A program of its own, so that planning a study need not load torch. Nothing is downloaded and no memory is taken:
the model is built on torch's meta device, where tensors have shapes but no values, and its features are looked at.
"""

from __future__ import annotations

import difflib
import json
import sys
from typing import Any

import timm
import torch
from torch import Tensor, nn

SOURCE = f"timm {timm.__version__}, probed"


def probe(name: str) -> dict[str, Any]:
    """Describe a timm model as a catalogue entry.

    Returns:
        ``{"entry": fields of an EncoderEntry}``, or ``{"law": why it is no encoder, "near": similar names}``.
    """
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        near = difflib.get_close_matches(name, [*timm.list_models(), *timm.list_pretrained()], n=5, cutoff=0.5)
        law = f"must be a name of the catalogue, of `backbones` or of a timm model, but got {name!r}"
        return {"law": law, "near": near}
    checkpoints = timm.list_pretrained(architecture)
    if tag and name not in checkpoints:
        law = f"must be one of timm's checkpoints of {architecture} ({', '.join(checkpoints)}), but got {name!r}"
        return {"law": law, "near": checkpoints}
    try:
        return {"entry": _facts(name)}
    except _UnfitError as unfit:
        return {"law": f"must be a model that gives one square map of features, but {name!r} {unfit}", "near": []}


class _UnfitError(Exception):
    """Reason why a model cannot be an encoder here, as the end of a sentence about it."""


def _facts(name: str) -> dict[str, Any]:
    published = timm.models.get_pretrained_cfg(name)
    if published is None:
        raise _UnfitError("has no configuration in timm")
    channels, height, side = published.input_size
    if channels != 3 or height != side:
        raise _UnfitError(f"takes images of {' x '.join(map(str, published.input_size))}")
    with torch.device("meta"):
        model = timm.create_model(name, pretrained=False, num_classes=0).eval()
    if not hasattr(model, "forward_intermediates") or not hasattr(model, "feature_info"):
        raise _UnfitError("gives no intermediate features in timm")
    reductions = {level["reduction"] for level in model.feature_info}
    shape = _transformer(name, model, side) if len(reductions) == 1 else _convolutional(model, side)
    is_there = str(published.hf_hub_id).startswith("timm/") and not published.hf_hub_filename
    return {
        "source": SOURCE,
        "arch": name,
        "resolution": side,
        "mean": list(published.mean),
        "std": list(published.std),
        "checkpoint": f"hub:{published.hf_hub_id}" if is_there else None,
        **shape,
    }


def _transformer(name: str, model: nn.Module, side: int) -> dict[str, Any]:
    """Derive the facts of a model whose blocks have maps of one size: patch, width, whether it takes other sizes."""
    patch = int(model.feature_info[0]["reduction"])  # type: ignore[index]
    _, width, *grid = _map(model, side, -2).shape
    if grid != [side // patch] * 2:
        raise _UnfitError(f"gives {' x '.join(map(str, grid))} features of {side} px with patches of {patch} px")
    interpolable = _takes_other_sizes(name, model, side + patch)
    return {"family": "vit", "patch": patch, "width": width, "interpolable": interpolable}


def _takes_other_sizes(name: str, model: nn.Module, side: int) -> bool:
    """Check that only `pos_embed` changes its shape when the model is built for images of `side` px."""
    try:
        with torch.device("meta"):
            resized = timm.create_model(name, pretrained=False, num_classes=0, img_size=side).eval()
        _map(resized, side, -2)
    except (TypeError, ValueError, AssertionError, RuntimeError):  # it is made for one size
        return False
    shapes = {key: tensor.shape for key, tensor in model.state_dict().items()}
    return {key for key, tensor in resized.state_dict().items() if tensor.shape != shapes.get(key)} <= {"pos_embed"}


def _convolutional(model: nn.Module, side: int) -> dict[str, Any]:
    """Derive the facts of a model whose maps become coarser: width by stride, and the sizes that it takes."""
    levels = {int(level["reduction"]): i for i, level in enumerate(model.feature_info)}  # type: ignore[arg-type]
    coarsest = max(levels)
    try:
        strides = {stride: _width(_map(model, side, i), side, stride) for stride, i in levels.items()}
        whole_BCHW = model.forward_features(torch.zeros(1, 3, side, side, device="meta"))  # type: ignore[operator]
        if whole_BCHW.ndim == 4 and whole_BCHW.shape[1] == model.num_features:
            strides[coarsest] = _width(whole_BCHW, side, coarsest)
        elif model.num_features == strides[coarsest]:
            raise _UnfitError("gives no map of channels by height by width at its end")
        _width(_map(model, 3 * coarsest, levels[coarsest]), 3 * coarsest, coarsest)
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        raise _UnfitError(f"takes images of {side} px only ({type(error).__name__})") from error
    odd = 3 * coarsest + 1
    try:
        pads = all(_width(_map(model, odd, i), odd, stride) for stride, i in levels.items())
    except (_UnfitError, ValueError, AssertionError, RuntimeError):
        pads = False
    return {"family": "conv", "strides": strides, **({} if pads else {"multiple_of": coarsest})}


def _map(model: nn.Module, side: int, index: int) -> Tensor:
    """Compute an intermediate map of an image of `side` px, 1 x C x H x W, without values."""
    image_BCHW = torch.zeros(1, 3, side, side, device="meta")
    (map_BCHW,) = model.forward_intermediates(image_BCHW, indices=[index], intermediates_only=True)  # type: ignore[operator]
    return map_BCHW  # type: ignore[no-any-return]


def _width(map_BCHW: Tensor, side: int, stride: int) -> int:
    _, width, *grid = map_BCHW.shape
    if grid != [-(-side // stride)] * 2:
        raise _UnfitError(f"gives {' x '.join(map(str, grid))} features of {side} px at stride {stride}")
    return width


if __name__ == "__main__":
    print(json.dumps(probe(sys.argv[1])))
