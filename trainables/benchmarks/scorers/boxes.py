"""Find boxes in outputs, convert them to corners in pixels (x0, y0, x1, y1) and compare them.

Programs read boxes differently, and each parser is here under its own name. Nothing ever chooses among several
boxes by looking at the right one.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

Box = tuple[float, float, float, float]


class Size(NamedTuple):
    """Size of an image in px."""

    width: float
    height: float


_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_IN_BRACKETS = re.compile(
    rf"[\[(]\s*({_NUMBER})(?:\s*,\s*|\s+)({_NUMBER})(?:\s*,\s*|\s+)({_NUMBER})(?:\s*,\s*|\s+)({_NUMBER})\s*[\])]"
)
_ANY_NUMBER = re.compile(_NUMBER)
_LMMS_NUMBER = r"(-?\d+(?:\.\d+)?)"
_LMMS = re.compile(rf"\[\s*{_LMMS_NUMBER},\s*{_LMMS_NUMBER},\s*{_LMMS_NUMBER},\s*{_LMMS_NUMBER}\s*\]")


class ParsedBox(NamedTuple):
    """Four numbers of an output, with the convention that they are read by."""

    box: Box
    convention: str
    """`normalised` (0 to 1 of the image), `thousandths`, `pixels`."""


def first_box(text: str) -> Box | None:
    """Find the first four numbers in brackets, else the first four numbers; None if there are fewer."""
    match = _IN_BRACKETS.search(text)
    numbers = match.groups() if match else _ANY_NUMBER.findall(text)[:4]
    return _finite([float(number) for number in numbers]) if len(numbers) == 4 else None


def holds_one(text: str) -> bool:
    """Check whether a text holds exactly one box: four numbers in brackets once, or else four numbers in all."""
    in_brackets = len(_IN_BRACKETS.findall(text))
    return in_brackets == 1 or (in_brackets == 0 and len(_ANY_NUMBER.findall(text)) == 4)


def tolerant(text: str) -> ParsedBox | None:
    """Find a box: normalised if all numbers lie within 0 and 1, else in pixels of the original image."""
    box = first_box(text)
    if box is None:
        return None
    return ParsedBox(box, "normalised" if all(0 <= number <= 1 for number in box) else "pixels")


def vlmevalkit(text: str) -> ParsedBox | None:
    """Find a box as VLMEvalKit: normalised up to 1.5, thousandths up to 1000, else pixels."""
    box = first_box(text)
    if box is None:
        return None
    largest = max(box)
    return ParsedBox(box, "normalised" if largest <= 1.5 else "thousandths" if largest <= 1000 else "pixels")


def lmms(text: str) -> Box | None:
    """Find a box as lmms-eval's `bbox_rec`: the first `[a, b, c, d]`; with commas, no bare or exponential fractions."""
    match = _LMMS.search(text)
    return _finite([float(number) for number in match.groups()]) if match else None


def strict(text: str) -> Box | None:
    """Read a box as TRI-ML/vlm-evaluation: the whole output is a list of four numbers within 0 and 1, in order."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    if not isinstance(value, list) or len(value) != 4 or not all(isinstance(v, int | float) for v in value):
        return None
    box = _finite([float(number) for number in value])
    if box is None or not all(0 <= number <= 1 for number in box) or not (box[0] < box[2] and box[1] < box[3]):
        return None
    return box


def in_pixels(parsed: ParsedBox, size: Size) -> Box:
    x0, y0, x1, y1 = parsed.box
    if parsed.convention == "pixels":
        return parsed.box
    scale = 1 if parsed.convention == "normalised" else 1000
    return (x0 / scale * size.width, y0 / scale * size.height, x1 / scale * size.width, y1 / scale * size.height)


def ordered_and_clipped(box: Box, size: Size) -> Box:
    """Swap reversed corners, then clip to the image."""
    x0, x1 = sorted((box[0], box[2]))
    y0, y1 = sorted((box[1], box[3]))
    return (
        min(max(x0, 0.0), size.width),
        min(max(y0, 0.0), size.height),
        min(max(x1, 0.0), size.width),
        min(max(y1, 0.0), size.height),
    )


def corners(xywh: Sequence[float]) -> Box:
    x, y, width, height = xywh
    return (x, y, x + width, y + height)


def normalised(box: Box, size: Size) -> Box:
    return (box[0] / size.width, box[1] / size.height, box[2] / size.width, box[3] / size.height)


def rounded(box: Box) -> Box:
    """Round to two decimals, as models are trained on."""
    return (round(box[0], 2), round(box[1], 2), round(box[2], 2), round(box[3], 2))


def iou(box: Box, target: Box) -> float:
    """Compute intersection over union, 0 to 1. A box without area, or with reversed corners, overlaps nothing."""
    overlap = max(0, min(box[2], target[2]) - max(box[0], target[0])) * max(
        0, min(box[3], target[3]) - max(box[1], target[1])
    )
    if not overlap:
        return 0.0
    union = _area(box) + _area(target) - overlap
    value = overlap / union if union > 0 else 0.0
    return min(1.0, value) if math.isfinite(value) else 0.0


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def holds_center_of(box: Box, target: Box) -> bool:
    x, y = (target[0] + target[2]) / 2, (target[1] + target[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _finite(numbers: Sequence[float]) -> Box | None:
    if not all(math.isfinite(number) and abs(number) < 1e12 for number in numbers):
        return None
    a, b, c, d = numbers
    return (a, b, c, d)
