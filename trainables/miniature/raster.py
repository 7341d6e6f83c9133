"""Draw scenes in whole numbers, the same pixels on every machine, and encode them as PNG or JPEG with pillow."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import PurePath
from random import Random
from typing import Any, assert_never

import numpy as np
from PIL import Image

from trainables.miniature.font import text_mask
from trainables.miniature.scene import COLOURS, SIGN, Scene, Thing

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Whole = np.ndarray[Any, np.dtype[np.int64]]

_INK = (15, 15, 15)
_PAPER = (255, 255, 255)
_WORD_SCALE, _LETTER_SCALE = 3, 2
"""Side of a dot in px. Single letters stand on shapes, and leave more of them to be seen."""
_BLUR = 13
"""Radius in px of a box blur, applied twice: more than a shape's own radius."""


def rasterise(scene: Scene) -> Pixels:
    """Draw a scene as pixels, height x width x 3."""
    width, height = scene.size
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = scene.ground
    for start, end in scene.arrows:
        _arrow(pixels, scene, scene.things[start], scene.things[end])
    for thing in scene.things:
        left, top, right, bottom = scene.box(thing)
        area = pixels[top:bottom, left:right]
        area[_MASKS[thing.shape](right - left, bottom - top)] = COLOURS[thing.colour]
        if thing.text:
            _write(area, thing.text.upper(), _PAPER if sum(COLOURS[thing.colour]) < 400 else _INK, scene.scale)
    match scene.veil:
        case "blur":
            return _blurred(_blurred(pixels))
        case "dark":
            return _dark(pixels)
        case "":
            return pixels
        case _:
            assert_never(scene.veil)


def encoded(scene: Scene, name: str) -> bytes:
    """Encode a scene as the file type of a name: .png, or .jpg at a quality that leaves colours alone."""
    image, buffer = Image.fromarray(rasterise(scene)), io.BytesIO()
    if PurePath(name).suffix == ".png":
        image.save(buffer, format="PNG")
    else:
        image.save(buffer, format="JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def _circle(width: int, height: int) -> Mask:
    u, v = _from_centre(width, height)
    inside: Mask = (u * height) ** 2 + (v * width) ** 2 <= (width * height) ** 2
    return inside


def _square(width: int, height: int) -> Mask:
    return np.ones((height, width), bool)


def _triangle(width: int, height: int) -> Mask:
    """Draw a triangle that points up."""
    u, _ = _from_centre(width, height)
    rows = np.arange(height)[:, None]
    inside: Mask = np.abs(u) * 2 * height <= np.maximum(width * (2 * rows + 1), 2 * height)
    return inside


def _cross(width: int, height: int) -> Mask:
    u, v = _from_centre(width, height)
    inside: Mask = (np.abs(u) * 3 <= width) | (np.abs(v) * 3 <= height)
    return inside


_MASKS: Mapping[str, Callable[[int, int], Mask]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "cross": _cross,
    SIGN: _square,
}


def _from_centre(width: int, height: int) -> tuple[Whole, Whole]:
    """Compute twice the distance of each column and row of pixels from the centre."""
    return 2 * np.arange(width)[None, :] + 1 - width, 2 * np.arange(height)[:, None] + 1 - height


def _write(area: Pixels, text: str, colour: tuple[int, int, int], scale: int) -> None:
    mask = text_mask(text, scale * (_WORD_SCALE if len(text) > 1 else _LETTER_SCALE))
    top, left = (area.shape[0] - mask.shape[0]) // 2, (area.shape[1] - mask.shape[1]) // 2
    area[top : top + mask.shape[0], left : left + mask.shape[1]][mask] = colour


def _arrow(pixels: Pixels, scene: Scene, start: Thing, end: Thing) -> None:
    """Draw a line between two things of one row, with a head at the second."""
    scale = scene.scale
    (start_x, y), (end_x, _) = ((round(scale * x), round(scale * y)) for x, y in (start.centre, end.centre))
    pixels[y - scale : y + scale, min(start_x, end_x) : max(start_x, end_x)] = _INK
    tip, step = (end.box[0], -1) if start_x < end_x else (end.box[2], 1)
    for reach in range(6 * scale):
        pixels[y - reach // 2 - 1 : y + reach // 2 + 1, scale * tip + step * reach - (step < 0)] = _INK


def _blurred(pixels: Pixels) -> Pixels:
    """Average over a square of 2 * _BLUR + 1 px around each pixel, the borders repeated."""
    side = 2 * _BLUR + 1
    padded = np.pad(pixels.astype(np.int64), ((_BLUR + 1, _BLUR), (_BLUR + 1, _BLUR), (0, 0)), mode="edge")
    sums = padded.cumsum(axis=0).cumsum(axis=1)
    means: Whole = (sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]) // side**2
    return means.astype(np.uint8)


def _dark(pixels: Pixels) -> Pixels:
    """Darken to nearly black, with some grain that is the same for the same image."""
    grain = np.frombuffer(Random(pixels.tobytes()).randbytes(pixels.size), np.uint8).reshape(pixels.shape)
    return (4 + pixels // 64 + grain % 8).astype(np.uint8)
