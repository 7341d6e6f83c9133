"""Write VizWiz validation: one question per image, ten answers, and images on which nothing is recognisable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from trainables.miniature.crowd_answers import ten_answers, with_confidence
from trainables.miniature.question_forms import SHORT, MiniSet, Page, SceneQuestion, Turn
from trainables.miniature.scene import COLOURS, SHAPES, SIGN, WORDS, Scene, several, with_signs
from trainables.miniature.written_files import write_image, write_json

UNANSWERABLE = "unanswerable"
_SIGN_IN = 3
"""One image in so many shows a sign, the others a shape."""
_HINT = "When the provided information is insufficient, respond with 'Unanswerable'."


def compose(draw: Random, number: int) -> Scene:
    """Compose a scene. Two of five images are useless, alike for signs and shapes."""
    has_sign = number % _SIGN_IN == 0
    scene = with_signs(draw, [draw.choice(WORDS)], 0) if has_sign else several(draw, 1)
    if number // _SIGN_IN % 5 in (1, 3):
        return replace(scene, veil=draw.choice(("blur", "dark")))
    return scene


def ask(draw: Random, scene: Scene, number: int) -> tuple[SceneQuestion, ...]:
    (thing,) = scene.things
    if thing.shape == SIGN:
        question = SceneQuestion("What does this sign say?", thing.text, "text", "text", WORDS, (thing,))
    elif number % 2:
        question = SceneQuestion("What color is this?", thing.colour, "look", "color", tuple(COLOURS), (thing,))
    else:
        question = SceneQuestion("What shape is this?", thing.shape, "look", "shape", SHAPES, (thing,))
    return (replace(question, answer=UNANSWERABLE) if scene.veil else question,)


def write(pages: Sequence[Page], folder: Path) -> None:
    draw = Random("vizwiz annotators")
    rows = []
    for page in pages:
        image = f"VizWiz_val_{page.number:08d}.jpg"
        write_image(folder / "images" / image, page.scene)
        (question,) = page.questions
        useless = question.answer == UNANSWERABLE
        distractors = question.options if useless else (*question.options, UNANSWERABLE, "unsuitable")
        rows.append(
            {
                "image": image,
                "question": question.text,
                "answers": with_confidence(draw, ten_answers(draw, question.answer, distractors)),
                "answer_type": UNANSWERABLE if useless else "other",
                "answerable": int(not useless),
            }
        )
    write_json(folder / "val.json", rows)


def _turn(question: SceneQuestion) -> Turn:
    answer = "Unanswerable" if question.answer == UNANSWERABLE else question.answer
    return f"{question.text}\n{_HINT}\n{SHORT}", answer


VIZWIZ = MiniSet("vizwiz", compose, ask, write, _turn)
