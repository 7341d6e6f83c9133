"""Open prompts list every object of their image."""

from __future__ import annotations

from tests.support.file_forms import opens
from tests.support.seen_pixels import seen_in
from tests.support.small_miniature import folder, read_json


def test_open_prompts_come_with_the_objects_of_their_image() -> None:
    content = read_json(folder() / "qualitative" / "prompts.json")
    assert set(content) == {"version", "vocabulary", "samples"}
    assert len(content["samples"]) == 12
    for sample in content["samples"]:
        assert set(sample) == {"id", "image", "prompt", "objects"}
        assert {entry["name"] for entry in sample["objects"]} <= set(content["vocabulary"])
        opens(folder() / "qualitative" / "images" / sample["image"], "PNG")


def test_open_prompts_list_everything_that_is_in_the_image() -> None:
    for sample in read_json(folder() / "qualitative" / "prompts.json")["samples"]:
        boxes_of = seen_in(folder() / "qualitative" / "images" / sample["image"])
        assert {entry["name"]: [tuple(entry["box"])] for entry in sample["objects"]} == boxes_of
