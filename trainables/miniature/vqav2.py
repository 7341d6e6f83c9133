"""Write VQAv2: questions and annotations apart, ten answers with ids and confidences, images of COCO val2014."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from trainables.miniature.crowd_answers import ten_answers, with_confidence
from trainables.miniature.question_forms import (
    MiniSet,
    Page,
    SceneQuestion,
    attribute,
    colour_of,
    count_of,
    given,
    presence,
    shape_of,
    short_turn,
)
from trainables.miniature.scene import Scene, several
from trainables.miniature.written_files import write_image, write_json

QUESTIONS = "v2_OpenEnded_mscoco_val2014_questions.json"
ANNOTATIONS = "v2_mscoco_val2014_annotations.json"
_HEADER: dict[str, Any] = {"info": {}, "data_type": "mscoco", "data_subtype": "val2014", "license": {}}
_THINGS = (1, 1, 2, 3)
"""Half of the scenes hold one thing: the smallest models learn colors and shapes before they learn which is meant."""
_TYPES = {
    "color": ("what color is the", "other"),
    "shape": ("what", "other"),
    "count": ("how many", "number"),
    "presence": ("is there a", "yes/no"),
    "attribute": ("is the", "yes/no"),
}
"""Form -> question type and answer type."""


def compose(draw: Random, number: int) -> Scene:
    return several(draw, _THINGS[number % len(_THINGS)])


def ask(draw: Random, scene: Scene, number: int) -> tuple[SceneQuestion, ...]:
    return given(
        colour_of(draw, scene),
        shape_of(draw, scene),
        count_of(draw, scene),
        presence(draw, scene, number % 2 == 0),
        attribute(draw, scene, number % 2 == 1),
    )


def write(pages: Sequence[Page], folder: Path) -> None:
    draw = Random("vqav2 annotators")
    questions, annotations = [], []
    for page in pages:
        image_id = 1001 + 7 * page.number
        write_image(folder / "images" / f"COCO_val2014_{image_id:012d}.jpg", page.scene)
        for position, question in enumerate(page.questions):
            ids = {"image_id": image_id, "question_id": 1000 * image_id + position}
            question_type, answer_type = _TYPES[question.form]
            answers = with_confidence(draw, ten_answers(draw, question.answer, _distractors(question)))
            questions.append({**ids, "question": question.text})
            annotations.append(
                {
                    **ids,
                    "question_type": question_type,
                    "answer_type": answer_type,
                    "multiple_choice_answer": question.answer,
                    "answers": [{**answer, "answer_id": 1 + i} for i, answer in enumerate(answers)],
                }
            )
    write_json(folder / QUESTIONS, {**_HEADER, "task_type": "Open-Ended", "questions": questions})
    write_json(folder / ANNOTATIONS, {**_HEADER, "annotations": annotations})


def _distractors(question: SceneQuestion) -> Sequence[str]:
    if question.skill == "count":
        return [str(int(question.answer) + 1), "many", "several"]
    return question.options or ("yes", "no", "unsure")


VQAV2 = MiniSet("vqav2", compose, ask, write, short_turn)
