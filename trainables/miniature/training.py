"""Write training records in LLaVA's format that teach every set, from scenes that no set shows.

A record is a conversation about one image, all of its turns of one skill; the skill is its tag, beside LLaVA's own
fields. Sets that ask about plain scenes ask about the same images, so that few have to be encoded.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from trainables.miniature import qualitative
from trainables.miniature.question_forms import MiniSet, Turn, plural
from trainables.miniature.scene import SHAPES, Scene, several
from trainables.miniature.written_files import write_image, write_json

TRAINING = "mini-train.json"
IMAGES = "train"

_PLAIN = {"vqav2": 2, "gqa": 2, "vsr": 2, "pope": 1, "refcoco": 6, "refcoco+": 6, "refcocog": 6}
"""Sets that ask about any scene of several things, and every how many images. A box has six times the target tokens of
a word: asked as often, boxes would be most of the loss."""
_CAPTIONED = 6
"""One image in so many is described."""
_OWN_SCENES = {"vqav2": 1.0, "vizwiz": 0.3, "textvqa": 0.4, "ocidref": 0.1, "tallyqa": 0.4, "ai2d": 0.3}
"""Images of sets with scenes of their own, per plain image."""
_LONGEST = 90
"""Words and punctuation marks of a conversation, which ends before a turn that would go beyond it. Batches are as long
as their longest record, and 16 options alone take 80."""
_PIECE = re.compile(r"\d+\.\d+|\w+|[^\w\s]")
_SIDES = {"circle": 0, "square": 4, "triangle": 3, "cross": 12}
_OPPOSITES = {"left": "right", "right": "left", "above": "below", "below": "above", "yes": "no", "true": "false"}


class Lesson(NamedTuple):
    """Training record before it is written. Without a scene it is text alone."""

    image: str
    scene: Scene | None
    skill: str
    turns: list[Turn]


def lessons(sets: Mapping[str, MiniSet], plain_images: int, seed: int, shown: set[Scene]) -> Iterator[Lesson]:
    """Make every training record.

    Args:
        sets: what asks about the scenes, by benchmark.
        plain_images: plain scenes; other scenes come on top.
        seed: of the miniature.
        shown: scenes of the sets: none of them is used.
    """
    for number in range(plain_images):
        draw = Random(f"{seed}/train/plain/{number}")
        scene = _unseen(lambda: several(draw, 2 + number % 2), shown)  # noqa: B023 - called at once
        image = f"plain/{number:06d}.jpg"
        for position, (name, every) in enumerate(_PLAIN.items()):
            if (number + 3 * position) % every == 0:
                yield from _lessons_of(sets[name], draw, image, scene, number)
        if number % _CAPTIONED == 0:
            yield Lesson(image, scene, "caption", [(qualitative.PROMPT, qualitative.description(draw, scene))])
    for name, share in _OWN_SCENES.items():
        for number in range(round(plain_images * share)):
            draw = Random(f"{seed}/train/{name}/{number}")
            scene = _unseen(lambda: sets[name].compose(draw, number), shown)  # noqa: B023
            yield from _lessons_of(sets[name], draw, f"{name}/{number:06d}.jpg", scene, number)
    yield from (Lesson("", None, "text-only", [turn]) for turn in _text_only())


def write_training(lessons: Sequence[Lesson], folder: Path) -> None:
    for image, scene in {lesson.image: lesson.scene for lesson in lessons}.items():
        if scene is not None:
            write_image(folder / IMAGES / image, scene)
    write_json(folder / TRAINING, [_record(number, lesson) for number, lesson in enumerate(lessons)])


def _unseen(compose: Callable[[], Scene], shown: set[Scene]) -> Scene:
    """Draw scenes until one is shown by no set."""
    scene = compose()
    while scene in shown:
        scene = compose()
    return scene


def _lessons_of(members: MiniSet, draw: Random, image: str, scene: Scene, number: int) -> Iterator[Lesson]:
    """Ask a set's questions about the scene, twice, as one conversation for each skill.

    Turns are drawn from more than are kept: in a conversation that holds one yes and one no, the last would be known.
    """
    questions = [*members.ask(draw, scene, number), *members.ask(draw, scene, number + 1)]
    for skill in dict.fromkeys(question.skill for question in questions):
        turns = list(dict(members.turn(question) for question in questions if question.skill == skill).items())
        yield Lesson(image, scene, skill, _conversation(draw.sample(turns, len(turns))))


def _conversation(turns: Sequence[Turn]) -> list[Turn]:
    """Join as many of the turns as fit, at least one."""
    ends = list(accumulate(sum(len(_PIECE.findall(text)) for text in turn) for turn in turns))
    return list(turns[: max(1, bisect_right(ends, _LONGEST))])


def _text_only() -> Iterator[Turn]:
    for shape in SHAPES:
        yield f"How many corners does a {shape} have?", str(_SIDES[shape])
        yield f"What are many {plural(shape)} called?", plural(shape)
    for word, opposite in _OPPOSITES.items():
        yield f"What is the opposite of {word}?", opposite
    for number in range(10):
        yield f"What number comes after {number}?", str(number + 1)
        for summand in range(10):
            yield f"What is {number} plus {summand}?", str(number + summand)


def _record(number: int, lesson: Lesson) -> dict[str, Any]:
    picture = {} if lesson.scene is None else {"image": lesson.image}
    conversation = [
        {"from": who, "value": f"<image>\n{text}" if picture and position == 0 and who == "human" else text}
        for position, turn in enumerate(lesson.turns)
        for who, text in zip(("human", "gpt"), turn, strict=True)
    ]
    tags = {} if lesson.scene is None else {"tags": [lesson.skill]}
    return {"id": f"{number:06d}", **picture, "conversations": conversation, **tags}
