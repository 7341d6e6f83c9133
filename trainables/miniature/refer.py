"""Write RefCOCO, RefCOCO+ and RefCOCOg: a pickle of references with sentences, COCO instances, train2014 images."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from trainables.miniature.question_forms import MiniSet, Page, SceneQuestion, Turn, phrase, related
from trainables.miniature.scene import (
    HEIGHT,
    NAMES,
    WIDTH,
    Scene,
    Thing,
    above,
    left_of,
    several,
)
from trainables.miniature.written_files import write_image, write_json

_PICKLE_PROTOCOL = 2
"""The newest that Python 2 wrote, as the published files were."""
_TEST_SPLITS = {6: "testA", 13: "testB"}
"""Of fifteen images; the rest is val. RefCOCOg's umd split calls them all test."""

Describe = Callable[[Random, Scene, Thing], list[str]]
"""Describe a thing of a scene, with randomness: one or two expressions that fit no other thing."""


def compose(draw: Random, number: int) -> Scene:
    return several(draw, 2 + number % 2)


def by_place(draw: Random, scene: Scene, thing: Thing) -> list[str]:
    """Describe a thing as RefCOCO does: by its name, and by its place if it is the outermost one."""
    rest = [neighbour for neighbour in scene.things if neighbour is not thing]
    outermost = {
        "leftmost object": all(left_of(thing, neighbour) for neighbour in rest),
        "rightmost object": all(left_of(neighbour, thing) for neighbour in rest),
        "object at the top": all(above(thing, neighbour) for neighbour in rest),
        "object at the bottom": all(above(neighbour, thing) for neighbour in rest),
    }
    places = [place for place, holds in outermost.items() if holds]
    return [thing.name, *([draw.choice(places)] if places else [])]


def by_look(draw: Random, scene: Scene, thing: Thing) -> list[str]:
    """Describe a thing as RefCOCO+ does: without words of place."""
    shorter = [f"the {thing.colour} one"] if scene.only(colour=thing.colour) else []
    shorter += [thing.shape] if scene.only(shape=thing.shape) else []
    return [f"the {thing.name}", *([draw.choice(shorter)] if shorter else [])]


def by_sentence(draw: Random, scene: Scene, thing: Thing) -> list[str]:
    """Describe a thing as RefCOCOg does: in a sentence, by a neighbour."""
    neighbour = draw.choice([t for t in scene.things if t is not thing])
    first, relation, second = related(draw, Scene((thing, neighbour)))
    if first is thing:
        return [f"the {thing.name} that is {phrase(relation)} the {second.name}"]
    return [f"the {thing.name} that has the {first.name} {phrase(relation)} it"]


def asking(describe: Describe) -> Callable[[Random, Scene, int], tuple[SceneQuestion, ...]]:
    """Make a function that asks for two things of a scene, each with all its descriptions."""

    def ask(draw: Random, scene: Scene, number: int) -> tuple[SceneQuestion, ...]:
        return tuple(
            SceneQuestion(sentence, box_text(scene, thing), "box", "expression", (), (thing,))
            for thing in draw.sample(scene.things, 2)
            for sentence in describe(draw, scene, thing)
        )

    return ask


def box_text(scene: Scene, thing: Thing) -> str:
    """Write a box as the answer to a prompt: shares of width and height with two decimals."""
    return f"[{', '.join(f'{edge:.2f}' for edge in scene.relative_box(thing))}]"


def turn(question: SceneQuestion) -> Turn:
    prompt = "Please provide the bounding box coordinate of the region this sentence describes"
    return f'{prompt}: "{question.text}"', question.answer


def _writing(file: str, base: int, splits: Mapping[int, str]) -> Callable[[Sequence[Page], Path], None]:
    def write(pages: Sequence[Page], folder: Path) -> None:
        files = _Files(base)
        for page in pages:
            files.add(page, splits.get(page.number % 15, "val"))
            write_image(folder / "images" / files.images[-1]["file_name"], page.scene)
        (folder / file).write_bytes(pickle.dumps(files.refs, protocol=_PICKLE_PROTOCOL))
        write_json(folder / "instances.json", files.instances())

    return write


class _Files:
    """References and instances of a set, added page by page."""

    def __init__(self, base: int) -> None:
        self.refs: list[dict[str, Any]] = []
        self.images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._base, self._sentences = base, 0

    def add(self, page: Page, split: str) -> None:
        image_id = self._base + 3 * page.number
        self.images.append(_image(image_id))
        of_thing: dict[Thing, list[str]] = {}
        for question in page.questions:
            of_thing.setdefault(question.things[0], []).append(question.text)
        for position, thing in enumerate(page.scene.things):
            ann_id = 100 * image_id + position
            self._annotations.append(_annotation(ann_id, image_id, thing))
            if thing in of_thing:
                file_name = f"COCO_train2014_{image_id:012d}_{position}.jpg"
                self._refer(ann_id, image_id, file_name, split, thing, of_thing[thing])

    def _refer(self, ann_id: int, image_id: int, file_name: str, split: str, thing: Thing, texts: list[str]) -> None:
        sentences = [
            {"tokens": text.split(), "raw": text.capitalize(), "sent_id": self._sentences + i, "sent": text}
            for i, text in enumerate(texts)
        ]
        self._sentences += len(texts)
        self.refs.append(
            {
                "ref_id": len(self.refs),
                "ann_id": ann_id,
                "category_id": _category_id(thing),
                "file_name": file_name,
                "image_id": image_id,
                "split": split,
                "sent_ids": [sentence["sent_id"] for sentence in sentences],
                "sentences": sentences,
            }
        )

    def instances(self) -> dict[str, Any]:
        categories = [{"supercategory": "shape", "id": 1 + i, "name": name} for i, name in enumerate(_CATEGORIES)]
        return {
            "info": {},
            "licenses": [],
            "images": self.images,
            "annotations": self._annotations,
            "categories": categories,
        }


_CATEGORIES = [f"{colour} {shape}" for colour, shape in NAMES]


def _category_id(thing: Thing) -> int:
    return 1 + _CATEGORIES.index(thing.name)


def _image(image_id: int) -> dict[str, Any]:
    file_name = f"COCO_train2014_{image_id:012d}.jpg"
    urls = {"coco_url": "", "flickr_url": "", "date_captured": ""}
    return {"id": image_id, "file_name": file_name, "width": WIDTH, "height": HEIGHT, "license": 1, **urls}


def _annotation(ann_id: int, image_id: int, thing: Thing) -> dict[str, Any]:
    left, top, right, bottom = thing.box
    width, height = right - left, bottom - top
    return {
        "id": ann_id,
        "image_id": image_id,
        "category_id": _category_id(thing),
        "bbox": [float(left), float(top), float(width), float(height)],
        "segmentation": [[left, top, right, top, right, bottom, left, bottom]],
        "area": float(width * height),
        "iscrowd": 0,
    }


REFCOCO = MiniSet("refcoco", compose, asking(by_place), _writing("refs(unc).p", 400_001, _TEST_SPLITS), turn)
REFCOCO_PLUS = MiniSet("refcoco+", compose, asking(by_look), _writing("refs(unc).p", 410_001, _TEST_SPLITS), turn)
REFCOCOG = MiniSet(
    "refcocog",
    compose,
    asking(by_sentence),
    _writing("refs(umd).p", 420_001, dict.fromkeys(_TEST_SPLITS, "test")),
    turn,
)
