"""The drawn TallyQA has the published format, and its counts are those of the pixels."""

from __future__ import annotations

from tests.support.file_forms import kinds, opens
from tests.support.seen_pixels import seen_in
from tests.support.small_miniature import of, read_json
from trainables.miniature.scene import COLOURS

PLURALS = {"circles", "squares", "triangles", "crosses"}


def test_tallyqa_has_simple_complex_and_dropped_questions() -> None:
    rows = read_json(of("tallyqa") / "test.json")
    assert kinds(rows) == {
        "answer": "int", "data_source": "str", "image": "str", "image_id": "int", "issimple": "bool",
        "question": "str", "question_id": "int",
    }  # fmt: skip
    assert {(row["data_source"], row["issimple"]) for row in rows} == {
        ("amt", False), ("imported_vqa", True), ("imported_genome", True),
        ("imported_vqa", False), ("imported_genome", False),
    }  # fmt: skip
    for row in rows:
        opens(of("tallyqa") / "images" / row["image"], "JPEG")


def test_tallyqa_counts_are_those_of_the_pixels() -> None:
    for row in read_json(of("tallyqa") / "test.json"):
        boxes_of = seen_in(of("tallyqa") / "images" / row["image"])
        things = [(*name.split(), box) for name, boxes in boxes_of.items() for box in boxes]
        words = row["question"].rstrip("?").split()
        count = 0
        for colour, shape, (left, _, right, _) in things:
            fits = all(word == colour for word in words if word in COLOURS)
            fits &= {word for word in words if word in PLURALS} <= {f"{shape}s", f"{shape}es"}
            fits &= "left" not in words or left + right < 160
            fits &= "right" not in words or left + right > 160
            count += fits
        assert count == row["answer"]
