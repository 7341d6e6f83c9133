"""The drawn VizWiz has the published format, and unanswerable images show nothing."""

from __future__ import annotations

import numpy as np

from tests.support.file_forms import kinds, opens
from tests.support.seen_pixels import pixels_of
from tests.support.small_miniature import of, read_json


def test_vizwiz_is_a_list_with_ten_answers_and_whether_there_is_one() -> None:
    rows = read_json(of("vizwiz") / "val.json")
    assert kinds(rows) == {
        "image": "str", "question": "str", "answers": "list", "answer_type": "str", "answerable": "int",
    }  # fmt: skip
    assert [row["image"] for row in rows] == [f"VizWiz_val_{number:08d}.jpg" for number in range(len(rows))]
    for row in rows:
        assert kinds(row["answers"]) == {"answer": "str", "answer_confidence": "str"}
        assert len(row["answers"]) == 10
        assert row["answerable"] == (row["answer_type"] != "unanswerable")
        opens(of("vizwiz") / "images" / row["image"], "JPEG")
    assert {row["answerable"] for row in rows} == {0, 1}


def test_nothing_can_be_told_on_images_without_an_answer_and_everything_on_the_others() -> None:
    for row in read_json(of("vizwiz") / "val.json"):
        image = pixels_of(of("vizwiz") / "images" / row["image"])
        contrast = np.abs(np.diff(image.sum(axis=2), axis=1)).max()
        assert (contrast > 150) == bool(row["answerable"])
