"""Convert pictures to pixels: the three resize strategies and each tower's normalisation.

Pixel for pixel what Prismatic VLMs make of a picture: timm's evaluation transform at the encoder's own size, with
torchvision's rounding (prismatic/models/backbones/vision/base_vision.py). Tests hold it against torchvision itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, Protocol, assert_never

import numpy as np
from PIL import Image

Pixels = np.ndarray[Any, np.dtype[np.float32]]


class ImageSettings(Protocol):
    """Size and normalisation of an encoder's images: the fields of a `VisionSpec` that this module needs.

    The module imports nothing of this project, so that an exported model carries it as it is.
    """

    @property
    def resolution(self) -> int: ...
    @property
    def resize(self) -> Literal["letterbox", "naive", "crop"]: ...
    @property
    def mean(self) -> tuple[float, float, float]: ...
    @property
    def std(self) -> tuple[float, float, float]: ...
    @property
    def parts(self) -> Sequence[ImageSettings]: ...


def pixels(picture: Image.Image, vision: ImageSettings) -> Pixels:
    """Convert an RGB picture to a square, normalised image: channels x resolution x resolution.

    The image of a fused encoder has three channels for each of its parts, in their order.
    """
    if vision.parts:
        return np.concatenate([pixels(picture, part) for part in vision.parts])
    image_HWC = np.asarray(_resized(picture, vision))
    image_CHW = np.empty((3, *image_HWC.shape[:2]), np.float32)
    for channel, levels in enumerate(_normalised_levels(tuple(vision.mean), tuple(vision.std))):
        np.take(levels, image_HWC[:, :, channel], out=image_CHW[channel], mode="clip")  # levels of 8 bits: none clips
    return image_CHW


@lru_cache(maxsize=16)
def _normalised_levels(mean: tuple[float, ...], std: tuple[float, ...]) -> Pixels:
    """Normalise all levels of 8 bits, channels x 256: looking them up takes a third of the time of the arithmetic."""
    shares = np.arange(256, dtype=np.float32)[:, None] / 255.0
    normalised = (shares - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)
    return np.ascontiguousarray(normalised.T)


def _resized(picture: Image.Image, vision: ImageSettings) -> Image.Image:
    match vision.resize:
        case "naive":
            return _naive(picture, vision)
        case "crop":
            return _crop(picture, vision)
        case "letterbox":
            return _letterbox(picture, vision)
        case _:
            assert_never(vision.resize)


def _naive(picture: Image.Image, vision: ImageSettings) -> Image.Image:
    return picture.resize((vision.resolution, vision.resolution), Image.Resampling.BICUBIC)


def _crop(picture: Image.Image, vision: ImageSettings) -> Image.Image:
    """Resize the shorter side to the resolution and crop the centre.

    The longer side is rounded down, the crop's corner to even.
    """
    side, shorter = vision.resolution, min(picture.size)
    width, height = (side if length == shorter else int(side * length / shorter) for length in picture.size)
    left, top = round((width - side) / 2), round((height - side) / 2)
    return picture.resize((width, height), Image.Resampling.BICUBIC).crop((left, top, left + side, top + side))


def _letterbox(picture: Image.Image, vision: ImageSettings) -> Image.Image:
    """Pad to a square with equal borders of the mean colour (rounded down), then `_crop`.

    Where the sides differ by an odd number, equal borders leave the picture one pixel short of a square.
    """
    longer = max(picture.size)
    left, top = (longer - picture.width) // 2, (longer - picture.height) // 2
    padded = Image.new(
        "RGB",
        (picture.width + 2 * left, picture.height + 2 * top),
        tuple(int(255 * channel) for channel in vision.mean),
    )
    padded.paste(picture, (left, top))
    return _crop(padded, vision)
