"""Make references and protocols of grounding benchmarks, which ask for a box.

A reference is `{"box": [x0, y0, x1, y1], "size": [width, height]}`, in pixels of the original image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from trainables.benchmarks.contract import UNPARSABLE, Example, Parsed, Protocol, Row, Summary
from trainables.benchmarks.scorers import boxes, own_sets
from trainables.benchmarks.scorers.boxes import Box, Size
from trainables.benchmarks.scorers.instructions import BOX, region
from trainables.benchmarks.scorers.summaries import accuracy, group_accuracies, points

_LMMS_PREFIX = (
    "Bounding box coordinates are specified in the format (top-left x, top-left y, bottom-right x, bottom-right y). "
    "All values are floating point numbers bounded between 0 and 1. "
)
_LMMS_THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9)


def reference(box: Box, size: Size) -> dict[str, list[float]]:
    return {"box": list(box), "size": list(size)}


def _box(example: Example) -> Box:
    x0, y0, x1, y1 = example.reference["box"]
    return (x0, y0, x1, y1)


def _size(example: Example) -> Size:
    return Size(*example.reference["size"])


def _two_decimals(example: Example) -> Box:
    return boxes.rounded(boxes.normalised(_box(example), _size(example)))


def _unit_box(example: Example) -> Box:
    return boxes.normalised(_box(example), _size(example))


def _as_box(parsed: Parsed) -> Box:
    x0, y0, x1, y1 = parsed.value
    return (x0, y0, x1, y1)


def protocols(threshold: float, by: Sequence[str] = ()) -> dict[str, Protocol]:
    """Make the protocols `official` and `prismatic` for an IoU threshold; an equal IoU reaches it.

    There is no official scorer of boxes: `official` takes the convention (share of expressions whose IoU reaches the
    threshold) and compares in pixels of the original image, with one tolerant parser.
    """
    return {
        "official": _protocol(
            f"convention: IoU >= {threshold} in pixels; the first box, all of 0 to 1 or else in pixels",
            lambda example: region(example.question),
            _tolerant,
            _box,
            threshold,
            by,
            max_new_tokens=64,
        ),
        "prismatic": _protocol(
            f"TRI-ML/vlm-evaluation: IoU >= {threshold}; the output is a list of 0 to 1; references to 2 decimals",
            lambda example: region(example.question),
            _strict,
            _two_decimals,
            threshold,
            by,
            max_new_tokens=128,
            warn=_outside,
            version=2,
        ),
    }


def own_protocols() -> dict[str, Protocol]:
    """Make the protocols for sets of a user's own, at an IoU of 0.5; `official` takes nothing but one box for one."""
    own = _protocol(
        "IoU >= 0.5 in pixels; the only box of the answer, all of 0 to 1 or else in pixels",
        lambda example: region(example.question),
        _only,
        _box,
        0.5,
        (),
        max_new_tokens=64,
        warn=_leaving,
        version=2,
        model_text="cut",
    )
    return {**protocols(0.5), "official": own}


def refcoco_protocols() -> dict[str, Protocol]:
    """Make the protocols of the harnesses that have the RefCOCO family."""
    vlmevalkit = _protocol(
        "VLMEvalKit: Precision@1; up to 1.5 normalised, up to 1000 thousandths, else pixels; swapped and clipped",
        lambda example: region(example.question),
        _vlmevalkit,
        _box,
        0.5,
        (),
        max_new_tokens=128,
    )
    return {**protocols(0.5), "lmms": _lmms_protocol(), "vlmevalkit": vlmevalkit}


def _protocol(
    about: str,
    prompt: Callable[[Example], str],
    parse: Callable[[str, Example], Parsed],
    target: Callable[[Example], Box],
    threshold: float,
    by: Sequence[str],
    *,
    warn: Callable[[Sequence[Row]], tuple[str, ...]] = lambda rows: (),
    **fields: Any,
) -> Protocol:
    def overlap(parsed: Parsed, example: Example) -> float:
        return boxes.iou(_as_box(parsed), target(example)) if parsed.ok else 0.0

    def summarise(rows: Sequence[Row]) -> Summary:
        metrics, warnings = accuracy(rows)
        metrics["iou"] = _mean([overlap(row.parsed, row.example) for row in rows])
        metrics |= group_accuracies(rows, by)
        return Summary(metrics, (*warnings, *warn(rows)))

    return Protocol(
        about,
        prompt,
        parse,
        lambda parsed, example: float(overlap(parsed, example) >= threshold),
        summarise,
        units={"iou": "0 to 1"},
        kind=_size,
        **fields,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _tolerant(output: str, example: Example) -> Parsed:
    box = boxes.tolerant(output)
    return UNPARSABLE if box is None else Parsed(list(boxes.in_pixels(box, _size(example))))


def _only(output: str, example: Example) -> Parsed:
    box = own_sets.one_box(output)
    return UNPARSABLE if box is None else Parsed(list(boxes.in_pixels(box, _size(example))))


def _strict(output: str, example: Example) -> Parsed:
    box = boxes.strict(output)
    return UNPARSABLE if box is None else Parsed(list(box))


def _vlmevalkit(output: str, example: Example) -> Parsed:
    box = boxes.vlmevalkit(output)
    if box is None:
        return UNPARSABLE
    return Parsed(list(boxes.ordered_and_clipped(boxes.in_pixels(box, _size(example)), _size(example))))


def _leaving(rows: Sequence[Row]) -> tuple[str, ...]:
    """Warn of boxes that leave their image: thousandths, or pixels of a resized image, look like that."""
    leaving = [row for row in rows if row.parsed.ok and not _fits(_as_box(row.parsed), _size(row.example))]
    if 10 * len(leaving) <= len(rows):
        return ()
    return (f"{len(leaving)} of {len(rows)} boxes leave their image, e.g. {leaving[0].prediction[:80]!r}: are they in"
            " pixels of the original image, or of 0 to 1?",)  # fmt: skip


def _fits(box: Box, size: Size) -> bool:
    """Check whether a box lies in its image, give or take a hundredth of its sides."""
    return min(box) >= -1 and box[2] <= 1.01 * size.width and box[3] <= 1.01 * size.height


def _outside(rows: Sequence[Row]) -> tuple[str, ...]:
    """Warn of references that leave their image or have no area: TRI's program stops there, here they are scored."""
    strange = [row.example.id for row in rows if not _is_inside(row.example)]
    if not strange:
        return ()
    return (f"TRI's program refuses {len(strange)} references outside of their image: {', '.join(strange[:5])}",)


def _is_inside(example: Example) -> bool:
    (x0, y0, x1, y1), size = _box(example), _size(example)
    return x0 < x1 <= size.width and y0 < y1 <= size.height


def _lmms_protocol() -> Protocol:
    """Make lmms-eval's protocol: without a box an output is [0, 0, 0, 0]; a reversed box overlaps nothing."""

    def parse(output: str, example: Example) -> Parsed:
        box = boxes.lmms(output)
        return Parsed([0.0, 0.0, 0.0, 0.0], ok=False) if box is None else Parsed(list(box))

    def overlap(row: Row) -> float:
        return boxes.iou(_as_box(row.parsed), _unit_box(row.example))

    def summarise(rows: Sequence[Row]) -> Summary:
        overlaps = [overlap(row) for row in rows]
        metrics, warnings = accuracy(rows)
        metrics["iou"] = _mean(overlaps)
        for threshold in _LMMS_THRESHOLDS:
            metrics[f"accuracy_iou_{threshold}"] = points([float(value >= threshold) for value in overlaps])
        centers = [boxes.holds_center_of(_unit_box(row.example), _as_box(row.parsed)) for row in rows]
        metrics["center_accuracy"] = points([float(is_inside) for is_inside in centers])
        return Summary(metrics, warnings)

    return Protocol(
        "lmms-eval bbox_rec: the first [a, b, c, d], taken as 0 to 1; also IoU, five thresholds and the center",
        lambda example: f"{_LMMS_PREFIX}{BOX}{example.question}",
        parse,
        lambda parsed, example: float(boxes.iou(_as_box(parsed), _unit_box(example)) >= 0.5),
        summarise,
        units={"iou": "0 to 1"},
        max_new_tokens=64,
        kind=_size,
    )
