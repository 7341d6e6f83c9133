"""Write TallyQA test: simple (imported) and complex (amt) questions, imported ones that the official scorer drops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from trainables.miniature.question_forms import MiniSet, Page, SceneQuestion, letter_turn, plural
from trainables.miniature.scene import COLOURS, SHAPES, WIDTH, Scene, arranged
from trainables.miniature.written_files import write_image, write_json

COUNTS = 6
"""Answers are 0 to 5."""
_MOST = tuple(str(number) for number in range(16))


def compose(draw: Random, number: int) -> Scene:
    """Compose 0 to 5 equal things, in turn, among up to four others of another colour and another shape."""
    colour, shape = draw.choice(list(COLOURS)), draw.choice(SHAPES)
    wrong_colours = [name for name in COLOURS if name != colour]
    wrong_shapes = [name for name in SHAPES if name != shape]
    distractors = [(draw.choice(wrong_colours), draw.choice(wrong_shapes)) for _ in range(draw.randint(1, 4))]
    return arranged(draw, [(colour, shape)] * (number % COUNTS) + distractors)


def ask(draw: Random, scene: Scene, number: int) -> tuple[SceneQuestion, ...]:
    """Ask for counts. Simple: all of a shape. Complex: of a shape and a colour, or on one half of the image."""
    shape = scene.things[0].shape
    colour = scene.things[0].colour
    simple = _question(f"How many {plural(shape)} are there?", len(scene.all(shape=shape)), "simple")
    both = _question(f"How many {colour} {plural(shape)} are there?", len(scene.all(colour=colour, shape=shape)), "amt")
    everything = _question("How many objects are there in total?", len(scene.things), "not-simple")
    side = draw.choice(("left", "right"))
    on_side = [thing for thing in scene.all(colour=colour) if (thing.centre[0] < WIDTH / 2) == (side == "left")]
    half = _question(f"How many {colour} objects are on the {side} side?", len(on_side), "amt")
    return (simple, both, half, everything) if number % 4 == 0 else (simple, both, half)


def _question(text: str, count: int, form: str) -> SceneQuestion:
    return SceneQuestion(text, str(count), "count", form, _MOST)


def write(pages: Sequence[Page], folder: Path) -> None:
    rows: list[dict[str, Any]] = []
    for page in pages:
        image_id = 2_410_000 + 19 * page.number
        of_coco = page.number % 3 == 0
        image = f"val2014/COCO_val2014_{image_id:012d}.jpg" if of_coco else f"VG_100K_2/{image_id}.jpg"
        write_image(folder / "images" / image, page.scene)
        for question in page.questions:
            imported = "imported_vqa" if of_coco else "imported_genome"
            rows.append(
                {
                    "answer": int(question.answer),
                    "data_source": "amt" if question.form == "amt" else imported,
                    "image": image,
                    "image_id": image_id if of_coco else 90_000_000 + image_id,
                    "issimple": question.form == "simple",
                    "question": question.text,
                    "question_id": 30_000_000 + len(rows),
                }
            )
    write_json(folder / "test.json", rows)


TALLYQA = MiniSet("tallyqa", compose, ask, write, letter_turn)
