"""The drawn VSR has the published format, and its labels hold of the pixels."""

from __future__ import annotations

import json

from tests.support.file_forms import kinds, opens
from tests.support.seen_pixels import seen_in, stands
from tests.support.small_miniature import of, read_json_lines


def test_vsr_is_json_lines_whose_votes_are_strings() -> None:
    rows = read_json_lines(of("vsr") / "test.jsonl")
    assert kinds(rows) == {
        "image": "str", "image_link": "str", "caption": "str", "label": "int", "relation": "str", "subj": "str",
        "obj": "str", "annotator_id": "int", "vote_true_validator_id": "str", "vote_false_validator_id": "str",
    }  # fmt: skip
    for row in rows:
        votes = [json.loads(row[f"vote_{kind}_validator_id"]) for kind in ("false", "true")]
        assert len(votes[row["label"]]) > len(votes[1 - row["label"]])
        opens(of("vsr") / "images" / row["image"], "JPEG")


def test_vsr_labels_hold_of_the_pixels() -> None:
    for row in read_json_lines(of("vsr") / "test.jsonl"):
        boxes_of = seen_in(of("vsr") / "images" / row["image"])
        assert stands(boxes_of[row["subj"]][0], row["relation"], boxes_of[row["obj"]][0]) == bool(row["label"])
        assert row["caption"].startswith(f"The {row['subj']} is ")
