"""Write AI2D: diagrams of shapes in a chain of arrows, with a JSON file of multiple-choice questions each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

from trainables.miniature.question_forms import MiniSet, Page, SceneQuestion, letter, letter_turn
from trainables.miniature.scene import CELL, COLOURS, COLUMNS, GROUNDS, HEIGHT, SHAPES, Scene, Thing
from trainables.miniature.written_files import write_image, write_json

TEST_IDS = "ai2d_test_ids.csv"
_IN_TEST = 3
"""One diagram in so many is not in the test ids."""
_LABELS = tuple(letter(i) for i in range(COLUMNS))
_INSET, _SIDE = 7, CELL - 14
_TOP = (HEIGHT - _SIDE) // 2


def compose(draw: Random, number: int) -> Scene:
    """Compose four different shapes in a row, lettered from the left, with arrows that run left or right."""
    shapes, colours = draw.sample(SHAPES, COLUMNS), draw.sample(list(COLOURS), COLUMNS)
    parts = tuple(
        Thing(colour, shape, (CELL * column + _INSET, _TOP, CELL * (column + 1) - _INSET, _TOP + _SIDE), letter(column))
        for column, (colour, shape) in enumerate(zip(colours, shapes, strict=True))
    )
    steps = [(i, i + 1) for i in range(COLUMNS - 1)]
    arrows = steps if draw.random() < 0.5 else [(right, left) for left, right in steps]
    return Scene(parts, draw.choice(GROUNDS), tuple(arrows))


def ask(draw: Random, scene: Scene, number: int) -> tuple[SceneQuestion, ...]:
    start, end = (scene.things[i] for i in draw.choice(scene.arrows))
    marked, named, coloured = draw.sample(scene.things, 3)
    colours = [thing.colour for thing in scene.things]
    return (
        _choice(draw, f"What does the arrow from the {start.shape} point to?", end.shape, SHAPES, "arrow", number),
        SceneQuestion(f"Which label marks the {marked.shape}?", marked.text, "diagram", "label", _LABELS),
        _choice(draw, f"What shape is labeled {named.text}?", named.shape, SHAPES, "shape", number + 1),
        _choice(draw, f"What color is the {coloured.shape}?", coloured.colour, colours, "color", number + 2),
    )


def _choice(draw: Random, text: str, answer: str, options: Sequence[str], form: str, position: int) -> SceneQuestion:
    """Make a question with shuffled options, the right one at `position`, so that no letter is right more often."""
    wrong = draw.sample([option for option in options if option != answer], len(options) - 1)
    position %= len(options)
    return SceneQuestion(text, answer, "diagram", form, (*wrong[:position], answer, *wrong[position:]))


def write(pages: Sequence[Page], folder: Path) -> None:
    test_ids = []
    for page in pages:
        number = 100 + page.number
        image = f"{number}.png"
        write_image(folder / "images" / image, page.scene)
        questions = {
            question.text: {
                "abcLabel": question.options == _LABELS,
                "answerTexts": list(question.options),
                "correctAnswer": question.options.index(question.answer),
                "questionId": f"{image}-{position}",
            }
            for position, question in enumerate(page.questions)
        }
        write_json(folder / "questions" / f"{image}.json", {"imageName": image, "questions": questions})
        if page.number % _IN_TEST:
            test_ids.append(number)
    (folder / TEST_IDS).write_text("".join(f"{number}\n" for number in test_ids), encoding="utf-8")


AI2D = MiniSet("ai2d", compose, ask, write, letter_turn)
