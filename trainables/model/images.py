"""Pictures to pixels: the three resize strategies and the encoder's normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from search_spaces.spec import VisionSpec

Pixels = np.ndarray[Any, np.dtype[np.float32]]


def pixels(picture: Image.Image, vision: VisionSpec) -> Pixels:
    """A square, normalised image: channels x resolution x resolution."""
    resized = _RESIZE[vision.resize](picture, vision)
    image_HWC = np.asarray(resized, np.float32) / 255.0
    normalised = (image_HWC - np.asarray(vision.mean, np.float32)) / np.asarray(vision.std, np.float32)
    return np.ascontiguousarray(normalised.transpose(2, 0, 1))


def _naive(picture: Image.Image, vision: VisionSpec) -> Image.Image:
    return picture.resize((vision.resolution, vision.resolution), Image.Resampling.BICUBIC)


def _crop(picture: Image.Image, vision: VisionSpec) -> Image.Image:
    """Shorter side to the resolution, then the centre."""
    side = vision.resolution
    scale = side / min(picture.size)
    width, height = (max(side, round(length * scale)) for length in picture.size)
    left, top = (width - side) // 2, (height - side) // 2
    return picture.resize((width, height), Image.Resampling.BICUBIC).crop((left, top, left + side, top + side))


def _letterbox(picture: Image.Image, vision: VisionSpec) -> Image.Image:
    """Padded to a square with the mean colour (rounded down, as in Prismatic VLMs), then resized."""
    side = max(picture.size)
    square = Image.new("RGB", (side, side), tuple(int(255 * channel) for channel in vision.mean))
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return _naive(square, vision)


_RESIZE = {"naive": _naive, "crop": _crop, "letterbox": _letterbox}
