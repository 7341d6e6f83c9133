"""Write OCID-Ref validation: one JSON object of expressions by id; 640 x 480 PNG images of ever denser scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from trainables.miniature.question_forms import MiniSet, Page, SceneQuestion
from trainables.miniature.refer import asking, by_look, turn
from trainables.miniature.scene import NAMES, Scene, several
from trainables.miniature.written_files import write_image, write_json

EXPRESSIONS = "val_expressions.json"
_TAKES = 21
_SCALE = 4
_SEQUENCE = "ARID20/table/top/seq{:02d}"


def compose(draw: Random, number: int) -> Scene:
    """Compose a take: 0 shows two things, 20 eight, as one after another is put on the table."""
    return replace(several(draw, 2 + 6 * _take(number) // (_TAKES - 1)), scale=_SCALE)


def _take(number: int) -> int:
    """Choose a take: all in turn, in an order that mixes sparse and cluttered ones."""
    return number * 8 % _TAKES


def write(pages: Sequence[Page], folder: Path) -> None:
    expressions: dict[str, dict[str, Any]] = {}
    for page in pages:
        sequence = _SEQUENCE.format(1 + page.number // _TAKES)
        scene_path = f"{sequence}/rgb/result_2018-08-20-13-{page.number // 60:02d}-{page.number % 60:02d}.png"
        write_image(folder / "images" / scene_path, page.scene)
        for question in page.questions:
            key = 83_000 + len(expressions)
            expressions[str(key)] = _expression(page, question, sequence, scene_path)
    write_json(folder / EXPRESSIONS, expressions)


def _expression(page: Page, question: SceneQuestion, sequence: str, scene_path: str) -> dict[str, Any]:
    (thing,) = question.things
    instance = page.scene.things.index(thing)
    return {
        "seq_id": str(1 + page.number // _TAKES),
        "scene_id": str(300 + page.number),
        "take_id": _take(page.number),
        "scene_path": scene_path,
        "sequence_path": sequence,
        "sub_dataset": "ARID20",
        "instance_id": 100 * page.number + instance,
        "scene_instance_id": 1 + instance,
        "class": thing.name,
        "class_instance": f"{thing.name.replace(' ', '_')}_{1 + NAMES.index((thing.colour, thing.shape))}",
        "sentence": question.text,
        "tokens": question.text.split(),
        "bbox": str(list(page.scene.box(thing))),
        "sentence_type": "attribute",
    }


OCIDREF = MiniSet("ocidref", compose, asking(by_look), write, turn)
