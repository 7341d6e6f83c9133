"""Check that answers are true of the image: what the files hold is read again from pixels alone."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from tests.support.small_miniature import folder, of, read_json, read_json_lines, read_pickle
from trainables.miniature.font import text_mask
from trainables.miniature.generate import SETS, Size, pages
from trainables.miniature.raster import rasterise
from trainables.miniature.scene import COLOURS, NUMBERS, SHAPES, WORDS, Scene, Thing, several

_PLURALS = {"circles", "squares", "triangles", "crosses"}
Pixels = np.ndarray[Any, np.dtype[np.int64]]
NAMED = re.compile(rf"({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})")


def pixels_of(path: Path) -> Pixels:
    return np.asarray(Image.open(path).convert("RGB"), np.int64)


def parts(image: Pixels, colour: str) -> list[tuple[int, int, int, int]]:
    """Find left, top, right, bottom of every connected patch of a colour."""
    near = np.abs(image - COLOURS[colour]).sum(axis=2) < 90
    labels, _ = ndimage.label(near)
    boxes = [(x.start, y.start, x.stop, y.stop) for y, x in ndimage.find_objects(labels)]
    return [box for box in boxes if (box[2] - box[0]) * (box[3] - box[1]) > 150]


def shape_in(image: Pixels, colour: str, box: tuple[int, int, int, int]) -> str:
    """Classify a shape by the share of its box that it fills, and by the upper half of it."""
    left, top, right, bottom = box
    near = np.abs(image[top:bottom, left:right] - COLOURS[colour]).sum(axis=2) < 90
    filled, upper = near.mean(), near[: len(near) // 2].mean()
    if filled > 0.93:
        return "square"
    if filled > 0.68:
        return "circle"
    return "triangle" if upper < 0.35 else "cross"


@cache
def seen_in(path: Path) -> dict[str, list[tuple[int, int, int, int]]]:
    return seen(pixels_of(path))


def seen(image: Pixels) -> dict[str, list[tuple[int, int, int, int]]]:
    """Find everything in an image by pixels alone: name -> boxes."""
    boxes_of: dict[str, list[tuple[int, int, int, int]]] = {}
    for colour in COLOURS:
        for box in parts(image, colour):
            boxes_of.setdefault(f"{colour} {shape_in(image, colour, box)}", []).append(box)
    return boxes_of


def test_every_shape_fills_its_box_to_the_last_row_and_column() -> None:
    for side in range(12, 40):
        for shape in SHAPES:
            scene = Scene((Thing("red", shape, (11, 7, 11 + side, 7 + side)),))
            near = (rasterise(scene) == COLOURS["red"]).all(axis=2)
            rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
            assert (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) == scene.things[0].box


@pytest.mark.parametrize("name", ["vqav2", "gqa", "refcoco", "pope", "tallyqa", "vsr"])
def test_what_is_drawn_is_what_the_scene_says(name: str) -> None:
    for page in pages(SETS[name], Size(images=12)):
        counts = {what: len(boxes) for what, boxes in seen(rasterise(page.scene).astype(np.int64)).items()}
        assert counts == Counter(page.scene.names())


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


def test_the_known_answer_has_at_least_seven_of_ten_people_behind_it() -> None:
    annotations = read_json(of("vqav2") / "v2_mscoco_val2014_annotations.json")["annotations"]
    given = [([a["answer"] for a in row["answers"]], row["multiple_choice_answer"]) for row in annotations]
    assert {answers.count(answer) for answers, answer in given} == {7, 8, 9, 10}


def test_gqa_relations_hold_of_the_pixels() -> None:
    for question in read_json(of("gqa") / "testdev_balanced_questions.json").values():
        boxes_of = seen_in(of("gqa") / "images" / f"{question['imageId']}.jpg")
        form, text = question["types"]["structural"], question["question"]
        names = [" ".join(name) for name in NAMED.findall(text)]
        if form == "logical":
            assert all(name in boxes_of for name in names) == (question["answer"] == "yes")
        elif form == "verify":
            assert _stands(boxes_of[names[0]][0], text, boxes_of[names[1]][0]) == (question["answer"] == "yes")
        elif form == "choose":
            left, _, right, _ = boxes_of[names[0]][0]
            assert question["answer"] == ("left" if left + right < 160 else "right")
        else:
            (anchor,) = boxes_of[names[0]]
            there = [name for name, (box,) in boxes_of.items() if box != anchor and _stands(box, text, anchor)]
            assert [name.split()[0] for name in there] == [question["answer"]]


def test_vsr_labels_hold_of_the_pixels() -> None:
    for row in read_json_lines(of("vsr") / "test.jsonl"):
        boxes_of = seen_in(of("vsr") / "images" / row["image"])
        assert _stands(boxes_of[row["subj"]][0], row["relation"], boxes_of[row["obj"]][0]) == bool(row["label"])
        assert row["caption"].startswith(f"The {row['subj']} is ")


def _stands(box: tuple[int, int, int, int], text: str, anchor: tuple[int, int, int, int]) -> bool:
    """Check whether the relation that a text names holds of two boxes, by their centres."""
    right = (box[0] + box[2] - anchor[0] - anchor[2]) / 2
    down = (box[1] + box[3] - anchor[1] - anchor[3]) / 2
    distance = {"left of": -right, "right of": right, "above": -down, "below": down}
    (relation,) = [name for name in distance if name in text]
    return distance[relation] > 18


@pytest.mark.parametrize(
    ("name", "file"), [("refcoco", "refs(unc).p"), ("refcoco+", "refs(unc).p"), ("refcocog", "refs(umd).p")]
)
def test_refer_boxes_are_those_of_the_named_thing(name: str, file: str) -> None:
    instances = read_json(of(name) / "instances.json")
    boxes = {annotation["id"]: annotation["bbox"] for annotation in instances["annotations"]}
    files = {image["id"]: image["file_name"] for image in instances["images"]}
    for ref in read_pickle(of(name) / file):
        boxes_of = seen_in(of(name) / "images" / files[ref["image_id"]])
        x, y, width, height = boxes[ref["ann_id"]]
        named = NAMED.search(ref["sentences"][0]["sent"])
        assert named is not None
        ((left, top, right, bottom),) = boxes_of[named[0]]
        assert np.abs(np.array([left - x, top - y, right - x - width, bottom - y - height])).max() <= 1


def test_ocidref_boxes_are_those_of_the_named_thing() -> None:
    for row in read_json(of("ocidref") / "val_expressions.json").values():
        boxes_of = seen_in(of("ocidref") / "images" / row["scene_path"])
        assert boxes_of[row["class"]] == [tuple(json.loads(row["bbox"]))]


def test_pope_labels_are_those_of_the_pixels() -> None:
    for split in ("random", "popular", "adversarial"):
        for row in read_json_lines(of("pope") / f"coco_pope_{split}.json"):
            (name,) = NAMED.findall(row["text"])
            boxes_of = seen_in(of("pope") / "images" / row["image"])
            assert (" ".join(name) in boxes_of) == (row["label"] == "yes")


def test_tallyqa_counts_are_those_of_the_pixels() -> None:
    for row in read_json(of("tallyqa") / "test.json"):
        boxes_of = seen_in(of("tallyqa") / "images" / row["image"])
        things = [(*name.split(), box) for name, boxes in boxes_of.items() for box in boxes]
        words = row["question"].rstrip("?").split()
        count = 0
        for colour, shape, (left, _, right, _) in things:
            fits = all(word == colour for word in words if word in COLOURS)
            fits &= {word for word in words if word in _PLURALS} <= {f"{shape}s", f"{shape}es"}
            fits &= "left" not in words or left + right < 160
            fits &= "right" not in words or left + right > 160
            count += fits
        assert count == row["answer"]


def test_words_on_signs_are_those_of_the_annotations() -> None:
    for row in read_json(of("textvqa") / "TextVQA_0.5.1_val.json")["data"]:
        image = pixels_of(of("textvqa") / "images" / f"{row['image_id']}.jpg")
        (answer, _), *_ = Counter(row["answers"]).most_common()
        colour = re.search(rf"the ({'|'.join(COLOURS)}) sign", row["question"])
        read = [text for on, text in _texts(image) if colour is None or on == colour[1]]
        assert read == [answer]


def _texts(image: Pixels) -> list[tuple[str, str]]:
    """Read (colour, text) of every sign: the text whose dots fit what is not of the sign's colour."""
    texts = []
    for colour in COLOURS:
        near = np.abs(image - COLOURS[colour]).sum(axis=2) < 120
        labels, _ = ndimage.label(near)
        for number, (y, x) in enumerate(ndimage.find_objects(labels), 1):
            if x.stop - x.start > 60 and (labels[y, x] == number).mean() > 0.5:
                texts.append((colour, _read(~near[y, x])))
    return texts


def _read(ink: np.ndarray[Any, np.dtype[np.bool_]]) -> str:
    def misfit(text: str) -> float:
        mask, expected = text_mask(text.upper(), 3), np.zeros_like(ink)
        top, left = (ink.shape[0] - mask.shape[0]) // 2, (ink.shape[1] - mask.shape[1]) // 2
        expected[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
        return float((expected != ink).mean())

    return min((*WORDS, *NUMBERS), key=misfit)


def test_nothing_can_be_told_on_images_without_an_answer_and_everything_on_the_others() -> None:
    for row in read_json(of("vizwiz") / "val.json"):
        image = pixels_of(of("vizwiz") / "images" / row["image"])
        contrast = np.abs(np.diff(image.sum(axis=2), axis=1)).max()
        assert (contrast > 150) == bool(row["answerable"])


def test_right_options_of_diagrams_are_those_of_the_pixels() -> None:
    for file in (of("ai2d") / "questions").iterdir():
        content = read_json(file)
        image = pixels_of(of("ai2d") / "images" / content["imageName"])
        page = pages(SETS["ai2d"], Size())[int(content["imageName"].split(".")[0]) - 100]
        for thing in page.scene.things:  # the letter is written over its middle
            left, top, right, bottom = thing.box
            corner = (top + bottom) // 2 + 6, (left + right) // 2
            assert tuple(image[corner[0] + 6, corner[1]]) == COLOURS[thing.colour]
        shapes = {thing.text: thing for thing in page.scene.things}
        follows = {page.scene.things[start].shape: page.scene.things[end].shape for start, end in page.scene.arrows}
        for text, question in content["questions"].items():
            right = question["answerTexts"][question["correctAnswer"]]
            if match := re.fullmatch(r"What does the arrow from the (\w+) point to\?", text):
                assert right == follows[match[1]]
            elif match := re.fullmatch(r"Which label marks the (\w+)\?", text):
                assert shapes[right].shape == match[1]
            elif match := re.fullmatch(r"What shape is labeled (\w)\?", text):
                assert shapes[match[1]].shape == right
            else:
                (shape,) = re.findall(r"What color is the (\w+)\?", text)
                assert [t.colour for t in page.scene.things if t.shape == shape] == [right]


def test_open_prompts_list_everything_that_is_in_the_image() -> None:
    for sample in read_json(folder() / "qualitative" / "prompts.json")["samples"]:
        boxes_of = seen_in(folder() / "qualitative" / "images" / sample["image"])
        assert {entry["name"]: [tuple(entry["box"])] for entry in sample["objects"]} == boxes_of


def test_scenes_hold_as_many_things_as_asked_and_none_touches_another() -> None:
    for number in range(200):
        scene = several(Random(number), 1 + number % 8)
        boxes = [thing.box for thing in scene.things]
        assert len(set(scene.names())) == len(boxes) == 1 + number % 8
        for i, box in enumerate(boxes):
            assert all(
                box[2] < earlier[0] or earlier[2] < box[0] or box[3] < earlier[1] or earlier[3] < box[1]
                for earlier in boxes[:i]
            )
