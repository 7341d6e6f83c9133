"""The drawn RefCOCO sets have the published formats, and their boxes are those of the pixels."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.file_forms import kinds, opens
from tests.support.seen_pixels import NAMED, seen_in
from tests.support.small_miniature import of, read_json, read_pickle


@pytest.mark.parametrize(
    ("name", "file", "splits"),
    [
        ("refcoco", "refs(unc).p", {"val", "testA", "testB"}),
        ("refcoco+", "refs(unc).p", {"val", "testA", "testB"}),
        ("refcocog", "refs(umd).p", {"val", "test"}),
    ],
)
def test_refer_sets_are_a_pickle_of_references_and_coco_instances(name: str, file: str, splits: set[str]) -> None:
    refs, instances = read_pickle(of(name) / file), read_json(of(name) / "instances.json")
    assert kinds(refs) == {
        "ref_id": "int", "ann_id": "int", "category_id": "int", "file_name": "str", "image_id": "int", "split": "str",
        "sent_ids": "list", "sentences": "list",
    }  # fmt: skip
    assert {ref["split"] for ref in refs} == splits
    assert {"images", "annotations", "categories"} <= set(instances)
    images = {image["id"]: image for image in instances["images"]}
    annotations = {annotation["id"]: annotation for annotation in instances["annotations"]}
    assert {"id", "image_id", "category_id", "bbox", "segmentation", "area", "iscrowd"} == set(
        kinds(annotations.values())
    )
    sentences = [sentence for ref in refs for sentence in ref["sentences"]]
    assert kinds(sentences) == {"tokens": "list", "raw": "str", "sent_id": "int", "sent": "str"}
    assert [sentence["sent_id"] for sentence in sentences] == [sent for ref in refs for sent in ref["sent_ids"]]
    assert len({sentence["sent_id"] for sentence in sentences}) == len(sentences)
    for ref in refs:
        annotation, image = annotations[ref["ann_id"]], images[ref["image_id"]]
        assert annotation["image_id"] == ref["image_id"]
        assert annotation["category_id"] == ref["category_id"]
        assert ref["file_name"].startswith(f"COCO_train2014_{ref['image_id']:012d}_")
        opens(of(name) / "images" / image["file_name"], "JPEG", (image["width"], image["height"]))


@pytest.mark.parametrize(
    ("name", "file"), [("refcoco", "refs(unc).p"), ("refcoco+", "refs(unc).p"), ("refcocog", "refs(umd).p")]
)
def test_refer_boxes_are_those_of_the_named_thing(name: str, file: str) -> None:
    instances = read_json(of(name) / "instances.json")
    boxes = {annotation["id"]: annotation["bbox"] for annotation in instances["annotations"]}
    files = {image["id"]: image["file_name"] for image in instances["images"]}
    for ref in read_pickle(of(name) / file):
        boxes_of = seen_in(of(name) / "images" / files[ref["image_id"]])
        x, y, width, height = boxes[ref["ann_id"]]
        named = NAMED.search(ref["sentences"][0]["sent"])
        assert named is not None
        ((left, top, right, bottom),) = boxes_of[named[0]]
        assert np.abs(np.array([left - x, top - y, right - x - width, bottom - y - height])).max() <= 1
