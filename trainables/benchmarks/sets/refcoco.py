"""Define RefCOCO, RefCOCO+ and RefCOCOg: grounding of expressions. One example for each sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from search_spaces.errors import InputError, nearest
from trainables.benchmarks.contract import Benchmark, Example, Totals
from trainables.benchmarks.files.record_fields import Fields
from trainables.benchmarks.files.reference_files import Document, ReferenceFiles, WantedFile
from trainables.benchmarks.scorers.boxes import Size, corners
from trainables.benchmarks.scorers.grounding import refcoco_protocols, reference

_PUBLISHED = "https://github.com/lichengunc/refer"


def _reader(splits: tuple[str, ...]) -> Callable[[ReferenceFiles, str | None], list[Example]]:
    def read(files: ReferenceFiles, split: str | None) -> list[Example]:
        wanted = split or splits[0]
        if wanted not in splits:
            raise InputError(
                f"the split must be one of {', '.join(splits)}, but got {wanted!r}",
                key="split",
                way_out=nearest(wanted, splits),
            )
        refs, instances = files.one("refs(*).p", _is_refs), files.one("instances.json", _is_instances)
        records = [Fields(ref, f"{refs.place}[{number}]") for number, ref in enumerate(refs.rows)]
        annotations = {row.id("id"): row for row in _instances(instances, "annotations")}
        images = {row.id("id"): row for row in _instances(instances, "images")}
        examples = [
            example for ref in records if ref.text("split") == wanted for example in _examples(ref, annotations, images)
        ]
        held = sorted({ref.text("split") for ref in records})
        files.forget()
        if not examples:
            raise InputError(f"must hold expressions of split {wanted}, but has {', '.join(held)}", place=refs.place)
        return examples

    return read


def _is_refs(document: Document) -> bool:
    return _first_has(document.value, "ref_id", "sentences")


def _is_instances(document: Document) -> bool:
    value = document.value
    return isinstance(value, dict) and "images" in value and _first_has(value.get("annotations"), "bbox")


def _first_has(rows: Any, *keys: str) -> bool:
    return isinstance(rows, list) and bool(rows) and isinstance(rows[0], dict) and all(key in rows[0] for key in keys)


def _instances(document: Document, key: str) -> list[Fields]:
    return Fields(document.value, document.place).records(key)


def _examples(ref: Fields, annotations: dict[str, Fields], images: dict[str, Fields]) -> list[Example]:
    annotation = _linked(ref, "ann_id", annotations, "annotation")
    image = _linked(ref, "image_id", images, "image")
    size = Size(image.whole("width"), image.whole("height"))
    if size.width <= 0 or size.height <= 0:
        raise InputError(f"an image must have a size, but has {size.width} x {size.height}", place=image.place)
    name = f"COCO_train2014_{ref.whole('image_id'):012d}.jpg"
    target = reference(corners(annotation.box("bbox")), size)
    return [
        Example(sentence.id("sent_id"), name, name, sentence.text("sent"), reference=target)
        for sentence in ref.records("sentences")
    ]


def _linked(ref: Fields, key: str, there: dict[str, Fields], kind: str) -> Fields:
    number = ref.id(key)
    if number not in there:
        raise InputError(f"must name an {kind} of instances.json, but {number} is none", place=ref.place, key=key)
    return there[number]


def _benchmark(name: str, title: str, refs: str, splits: tuple[str, ...], expressions: int) -> Benchmark:
    return Benchmark(
        id=name,
        title=title,
        split=splits[0],
        files=(
            WantedFile("refs(*).p", (f"refs({refs}).p",), f"{_PUBLISHED}, {name}.zip: refs({refs}).p"),
            WantedFile("instances.json", ("instances.json",), f"{_PUBLISHED}, {name}.zip"),
        ),
        images="COCO train2014 (cocodataset.org), as COCO_train2014_<12 digits>.jpg",
        totals=Totals((expressions,)),
        read=_reader(splits),
        splits=splits[1:],
        protocols=refcoco_protocols(),
    )


PLAIN = _benchmark("refcoco", "RefCOCO", "unc", ("val", "testA", "testB", "train"), 10_834)
PLUS = _benchmark("refcoco+", "RefCOCO+", "unc", ("val", "testA", "testB", "train"), 10_758)
G = _benchmark("refcocog", "RefCOCOg", "umd", ("val", "test", "train"), 4_896)
