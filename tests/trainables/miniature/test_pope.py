"""The drawn POPE has the published format, its labels are those of the pixels, and half are affirmed."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.file_forms import kinds, opens
from tests.support.seen_pixels import NAMED, seen_in
from tests.support.small_miniature import of, read_json_lines


@pytest.mark.parametrize("split", ["random", "popular", "adversarial"])
def test_pope_files_are_json_lines_numbered_from_one(split: str) -> None:
    rows = read_json_lines(of("pope") / f"coco_pope_{split}.json")
    assert kinds(rows) == {"question_id": "int", "image": "str", "text": "str", "label": "str"}
    assert [row["question_id"] for row in rows] == list(range(1, len(rows) + 1))
    assert {row["label"] for row in rows} == {"yes", "no"}
    assert len({(row["image"], row["text"]) for row in rows}) == len(rows)
    for row in rows:
        opens(of("pope") / "images" / row["image"], "JPEG")


def test_pope_labels_are_those_of_the_pixels() -> None:
    for split in ("random", "popular", "adversarial"):
        for row in read_json_lines(of("pope") / f"coco_pope_{split}.json"):
            (name,) = NAMED.findall(row["text"])
            boxes_of = seen_in(of("pope") / "images" / row["image"])
            assert (" ".join(name) in boxes_of) == (row["label"] == "yes")


def test_every_pope_split_affirms_half_of_its_questions() -> None:
    for split in ("random", "popular", "adversarial"):
        labels = Counter(row["label"] for row in read_json_lines(of("pope") / f"coco_pope_{split}.json"))
        assert labels["yes"] == labels["no"]
