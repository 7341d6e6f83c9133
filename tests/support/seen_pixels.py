"""What is in an image of the miniature, boxes_of by its pixels alone."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from trainables.miniature.scene import COLOURS, SHAPES

Pixels = np.ndarray[Any, np.dtype[np.int64]]
NAMED = re.compile(rf"({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})")


def pixels_of(path: Path) -> Pixels:
    """Read the pixels of an image file, (height, width, 3)."""
    return np.asarray(Image.open(path).convert("RGB"), np.int64)


def parts(image: Pixels, colour: str) -> list[tuple[int, int, int, int]]:
    """Find left, top, right, bottom of every connected patch of a colour."""
    near = np.abs(image - COLOURS[colour]).sum(axis=2) < 90
    labels, _ = ndimage.label(near)
    boxes = [(x.start, y.start, x.stop, y.stop) for y, x in ndimage.find_objects(labels)]
    return [box for box in boxes if (box[2] - box[0]) * (box[3] - box[1]) > 150]


def shape_in(image: Pixels, colour: str, box: tuple[int, int, int, int]) -> str:
    """Name the shape in a box by the share of it that is filled, and by its upper half."""
    left, top, right, bottom = box
    near = np.abs(image[top:bottom, left:right] - COLOURS[colour]).sum(axis=2) < 90
    filled, upper = near.mean(), near[: len(near) // 2].mean()
    if filled > 0.93:
        return "square"
    if filled > 0.68:
        return "circle"
    return "triangle" if upper < 0.35 else "cross"


@cache
def seen_in(path: Path) -> dict[str, list[tuple[int, int, int, int]]]:
    """Find everything in an image file: boxes by name."""
    return seen(pixels_of(path))


def seen(image: Pixels) -> dict[str, list[tuple[int, int, int, int]]]:
    """Find everything in an image by pixels alone: boxes by name."""
    boxes_of: dict[str, list[tuple[int, int, int, int]]] = {}
    for colour in COLOURS:
        for box in parts(image, colour):
            boxes_of.setdefault(f"{colour} {shape_in(image, colour, box)}", []).append(box)
    return boxes_of


def stands(box: tuple[int, int, int, int], text: str, anchor: tuple[int, int, int, int]) -> bool:
    """Check whether the relation that a text names holds of a box and its anchor, by their centres."""
    right = (box[0] + box[2] - anchor[0] - anchor[2]) / 2
    down = (box[1] + box[3] - anchor[1] - anchor[3]) / 2
    distance = {"left of": -right, "right of": right, "above": -down, "below": down}
    (relation,) = [name for name in distance if name in text]
    return distance[relation] > 18
