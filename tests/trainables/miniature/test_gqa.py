"""The drawn GQA has the published format, and its relations hold of the pixels."""

from __future__ import annotations

from tests.support.file_forms import kinds, opens
from tests.support.seen_pixels import NAMED, seen_in, stands
from tests.support.small_miniature import of, read_json


def test_gqa_is_an_object_of_questions_with_programs_types_and_groups() -> None:
    questions = read_json(of("gqa") / "testdev_balanced_questions.json")
    assert all(key.isdigit() for key in questions)
    for key, question in questions.items():
        assert set(question) == {
            "semantic", "entailed", "equivalent", "question", "imageId", "isBalanced", "groups", "answer",
            "semanticStr", "annotations", "types", "fullAnswer",
        }  # fmt: skip
        assert kinds(question["semantic"]) == {"operation": "str", "dependencies": "list", "argument": "str"}
        assert all(d < i for i, step in enumerate(question["semantic"]) for d in step["dependencies"])
        assert question["isBalanced"] is True
        assert question["equivalent"] == [key]
        assert set(question["groups"]) == {"global", "local"}
        assert set(question["types"]) == {"detailed", "semantic", "structural"}
        assert set(question["annotations"]) == {"answer", "question", "fullAnswer"}
        opens(of("gqa") / "images" / f"{question['imageId']}.jpg", "JPEG")
    assert {question["types"]["structural"] for question in questions.values()} == {
        "query", "verify", "choose", "logical",
    }  # fmt: skip
    assert any(question["groups"]["global"] for question in questions.values()), (
        "or the official scorer divides by zero"
    )


def test_gqa_relations_hold_of_the_pixels() -> None:
    for question in read_json(of("gqa") / "testdev_balanced_questions.json").values():
        boxes_of = seen_in(of("gqa") / "images" / f"{question['imageId']}.jpg")
        form, text = question["types"]["structural"], question["question"]
        names = [" ".join(name) for name in NAMED.findall(text)]
        if form == "logical":
            assert all(name in boxes_of for name in names) == (question["answer"] == "yes")
        elif form == "verify":
            assert stands(boxes_of[names[0]][0], text, boxes_of[names[1]][0]) == (question["answer"] == "yes")
        elif form == "choose":
            left, _, right, _ = boxes_of[names[0]][0]
            assert question["answer"] == ("left" if left + right < 160 else "right")
        else:
            (anchor,) = boxes_of[names[0]]
            there = [name for name, (box,) in boxes_of.items() if box != anchor and stands(box, text, anchor)]
            assert [name.split()[0] for name in there] == [question["answer"]]
