"""The drawn VQAv2 has the published format, and its answers are those of the pixels."""

from __future__ import annotations

import re

from tests.support.file_forms import kinds, opens
from tests.support.seen_pixels import seen_in
from tests.support.small_miniature import of, read_json


def test_vqav2_has_questions_and_annotations_apart_with_ten_numbered_answers() -> None:
    questions = read_json(of("vqav2") / "v2_OpenEnded_mscoco_val2014_questions.json")
    annotations = read_json(of("vqav2") / "v2_mscoco_val2014_annotations.json")
    assert set(questions) == {"info", "task_type", "data_type", "data_subtype", "license", "questions"}
    assert set(annotations) == {"info", "data_type", "data_subtype", "license", "annotations"}
    assert (questions["task_type"], questions["data_type"], questions["data_subtype"]) == (
        "Open-Ended", "mscoco", "val2014",
    )  # fmt: skip
    assert kinds(questions["questions"]) == {"image_id": "int", "question_id": "int", "question": "str"}
    rows = annotations["annotations"]
    assert kinds(rows) == {
        "image_id": "int", "question_id": "int", "question_type": "str", "answer_type": "str",
        "multiple_choice_answer": "str", "answers": "list",
    }  # fmt: skip
    assert [row["question_id"] for row in rows] == [row["question_id"] for row in questions["questions"]]
    assert len({row["question_id"] for row in rows}) == len(rows)
    assert {row["answer_type"] for row in rows} == {"yes/no", "number", "other"}
    for row in rows:
        assert kinds(row["answers"]) == {"answer": "str", "answer_confidence": "str", "answer_id": "int"}
        assert [answer["answer_id"] for answer in row["answers"]] == list(range(1, 11))
        assert {answer["answer_confidence"] for answer in row["answers"]} <= {"yes", "maybe", "no"}
        opens(of("vqav2") / "images" / f"COCO_val2014_{row['image_id']:012d}.jpg", "JPEG")


def test_vqav2_answers_are_those_of_the_pixels() -> None:
    questions = read_json(of("vqav2") / "v2_OpenEnded_mscoco_val2014_questions.json")["questions"]
    annotations = read_json(of("vqav2") / "v2_mscoco_val2014_annotations.json")["annotations"]
    for row, annotation in zip(questions, annotations, strict=True):
        boxes_of = seen_in(of("vqav2") / "images" / f"COCO_val2014_{row['image_id']:012d}.jpg")
        names = [name.split() for name, boxes in boxes_of.items() for _ in boxes]
        text, answer = row["question"], annotation["multiple_choice_answer"]
        if match := re.fullmatch(r"What color is the (\w+)\?", text):
            assert [colour for colour, shape in names if shape == match[1]] == [answer]
        elif match := re.fullmatch(r"What shape is the (\w+) object\?", text):
            assert [shape for colour, shape in names if colour == match[1]] == [answer]
        elif match := re.fullmatch(r"How many (\w+)( objects)? are there\?", text):
            every = match[1] == "objects"
            wanted = [n for n in names if every or n[0] == match[1] or n[1] in (match[1][:-1], match[1][:-2])]
            assert str(len(wanted)) == answer
        elif match := re.fullmatch(r"Is there an? (\w+ \w+) in the image\?", text):
            assert (match[1].split() in names) == (answer == "yes")
        else:
            match = re.fullmatch(r"Is the (\w+) (\w+)\?", text)
            assert match is not None
            assert ([match[2], match[1]] in names) == (answer == "yes")
