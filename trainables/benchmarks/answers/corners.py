"""Tell whether boxes given as lists are corners or corner, width and height, and make corners of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from search_spaces.errors import InputError
from trainables.benchmarks.answers.fields import Answer
from trainables.benchmarks.contract import Example

BoxForm = Literal["corners", "xywh"]
_NEARLY_ALL = 0.95
"""Share of boxes that must make sense in a form for it to be possible."""
_COCO_FIELDS = ("bbox", "pred_bbox", "pred_box")
"""Fields whose boxes are x, y, width and height in the files of COCO, and corners in others."""


def box_form(
    answers: Sequence[Answer], by_id: Mapping[str, Example], names: Sequence[str], field: str, place: str
) -> BoxForm:
    """Decide what the boxes of a file are: corners, unless nearly all make sense as x, y, width, height alone.

    Args:
        answers: of the file.
        by_id: id -> question.
        names: id of each answer's question.
        field: the field that the answers were read from.
        place: the file, for errors.

    Raises:
        InputError: where the field does not say which, and the boxes do not show it.
    """
    boxes = [
        (answer.box, _size(by_id[name]))
        for answer, name in zip(answers, names, strict=True)
        if answer.box is not None and name in by_id
    ]
    if not boxes or all(size is None for _, size in boxes):
        return "corners"
    as_corners = sum(x1 > x0 and y1 > y0 for (x0, y0, x1, y1), _ in boxes) / len(boxes)
    as_sizes = sum(_fits(box, size) for box, size in boxes) / len(boxes)
    way_out = "Say which with `--boxes corners` or `--boxes xywh`."
    if as_corners < _NEARLY_ALL <= as_sizes:
        if field in _COCO_FIELDS:
            return "xywh"
        law = f"boxes must be corners, but {1 - as_corners:.0%} are empty as such, and none as x, y, width, height"
        raise InputError(law, place=place, key=field, way_out=way_out)
    if field in _COCO_FIELDS and as_corners >= _NEARLY_ALL and as_sizes >= _NEARLY_ALL:
        law = "boxes may be corners as well as x, y, width, height"
        raise InputError(law, place=place, key=field, way_out=way_out)
    return "corners"


def _size(example: Example) -> Sequence[float] | None:
    reference: Any = example.reference
    return reference["size"] if isinstance(reference, dict) and "size" in reference else None


def _fits(box: Sequence[float], size: Sequence[float] | None) -> bool:
    """Tell whether x, y, width, height lie inside the image, in pixels or as shares of it."""
    x, y, width, height = box
    if size is None or width <= 0 or height <= 0:
        return False
    right, bottom = (1, 1) if max(box) <= 1 else size
    return x + width <= right * 1.01 + 1e-9 and y + height <= bottom * 1.01 + 1e-9


def as_corners(box: Sequence[float]) -> list[float]:
    """Turn x, y, width, height into corners."""
    x, y, width, height = box
    return [x, y, x + width, y + height]
