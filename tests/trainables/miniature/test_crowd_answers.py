"""Answers of the simulated crowd agree with the known one."""

from __future__ import annotations

from tests.support.small_miniature import of, read_json


def test_the_known_answer_has_at_least_seven_of_ten_people_behind_it() -> None:
    annotations = read_json(of("vqav2") / "v2_mscoco_val2014_annotations.json")["annotations"]
    given = [([a["answer"] for a in row["answers"]], row["multiple_choice_answer"]) for row in annotations]
    assert {answers.count(answer) for answers, answer in given} == {7, 8, 9, 10}
