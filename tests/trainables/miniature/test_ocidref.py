"""The drawn OCID-Ref has the published format, and its boxes are those of the pixels."""

from __future__ import annotations

import json

from tests.support.file_forms import opens
from tests.support.seen_pixels import seen_in
from tests.support.small_miniature import of, read_json


def test_ocidref_boxes_are_json_strings_of_corners_and_its_images_640_by_480() -> None:
    expressions = read_json(of("ocidref") / "val_expressions.json")
    for key, row in expressions.items():
        assert key.isdigit()
        assert {name: type(value).__name__ for name, value in row.items()} == {
            "seq_id": "str", "scene_id": "str", "take_id": "int", "scene_path": "str", "sequence_path": "str",
            "sub_dataset": "str", "instance_id": "int", "scene_instance_id": "int", "class": "str",
            "class_instance": "str", "sentence": "str", "tokens": "list", "bbox": "str", "sentence_type": "str",
        }  # fmt: skip
        left, top, right, bottom = json.loads(row["bbox"])
        assert 0 <= left < right <= 640
        assert 0 <= top < bottom <= 480
        assert row["scene_path"].startswith(row["sequence_path"])
        opens(of("ocidref") / "images" / row["scene_path"], "PNG", (640, 480))
    takes = {row["take_id"] for row in expressions.values()}
    assert takes == set(range(21)), "so that all three degrees of clutter occur"


def test_ocidref_boxes_are_those_of_the_named_thing() -> None:
    for row in read_json(of("ocidref") / "val_expressions.json").values():
        boxes_of = seen_in(of("ocidref") / "images" / row["scene_path"])
        assert boxes_of[row["class"]] == [tuple(json.loads(row["bbox"]))]
