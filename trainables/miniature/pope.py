"""Write POPE: three JSON Lines files that ask for present things and for absent ones, ever harder to deny."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from trainables.miniature.question_forms import SHORT, MiniSet, Page, SceneQuestion, Turn, absent_names, an
from trainables.miniature.scene import NAMES, Scene, several
from trainables.miniature.written_files import write_image, write_json_lines

SPLITS = ("random", "popular", "adversarial")
_PER_SPLIT = 2
"""Things that are there per image and split, and as many that are not."""


def compose(draw: Random, number: int) -> Scene:
    return several(draw, 2 + number % 2)


def ask(draw: Random, scene: Scene, number: int) -> tuple[SceneQuestion, ...]:
    """Ask per split two questions to affirm and two to deny in turn; `form` is the split."""
    questions = []
    for split in SPLITS:
        there = draw.sample(scene.names(), _PER_SPLIT)
        for present, absent in zip(there, _absent(draw, scene, split), strict=True):
            questions += [_question(present, "Yes", split), _question(absent, "No", split)]
    return tuple(questions)


def _absent(draw: Random, scene: Scene, split: str) -> list[str]:
    """Choose absent names as a split does.

    Random: any. Popular: what scenes most often have, which is decided when the set is written. Adversarial: of a
    colour and a shape that are both in the image, where there are any such.
    """
    absent = absent_names(scene)
    likely: list[str] = []
    if split == "adversarial":
        colours, shapes = ({getattr(thing, what) for thing in scene.things} for what in ("colour", "shape"))
        likely = [name for name in absent if name.split()[0] in colours and name.split()[1] in shapes]
        draw.shuffle(likely)
    rest = [name for name in absent if name not in likely]
    return [*likely, *draw.sample(rest, _PER_SPLIT)][:_PER_SPLIT]


def _question(name: str, answer: str, split: str) -> SceneQuestion:
    return SceneQuestion(f"Is there {an(name)} in the image?", answer, "look", split)


def write(pages: Sequence[Page], folder: Path) -> None:
    images = {page.number: f"COCO_val2014_{310_000 + 17 * page.number:012d}.jpg" for page in pages}
    for page in pages:
        write_image(folder / "images" / images[page.number], page.scene)
    popular = [name for name, _ in Counter(name for page in pages for name in page.scene.names()).most_common()]
    every = [f"{colour} {shape}" for colour, shape in NAMES]
    popular += [name for name in every if name not in popular]  # a set of one or two images shows too few
    for split in SPLITS:
        questions = [(page, question) for page in pages for question in _of_split(page, split, popular)]
        rows = [
            {
                "question_id": 1 + i,
                "image": images[page.number],
                "text": question.text,
                "label": question.answer.lower(),
            }
            for i, (page, question) in enumerate(questions)
        ]
        write_json_lines(folder / f"coco_pope_{split}.json", rows)


def _of_split(page: Page, split: str, popular: Sequence[str]) -> list[SceneQuestion]:
    questions = [question for question in page.questions if question.form == split]
    if split != "popular":
        return questions
    absent = (name for name in popular if name not in page.scene.names())
    return [q if q.answer == "Yes" else _question(next(absent), "No", split) for q in questions]


def _turn(question: SceneQuestion) -> Turn:
    return f"{question.text}\n{SHORT}", question.answer


POPE = MiniSet("pope", compose, ask, write, _turn)
