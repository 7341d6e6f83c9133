"""Draw a small set of images with questions: python examples/own-vqa/draw.py FOLDER

FOLDER/train.json        160 conversations about 40 images, in the form of LLaVA
FOLDER/test.jsonl        80 questions about 20 other images, one JSON object per line
FOLDER/train-more.json   80 conversations about the 40 images: where the shape is, and how many corners it has
FOLDER/places.jsonl      20 questions whose answer is a box
FOLDER/corners.jsonl     20 questions whose answer is a number
FOLDER/images/           60 images of 96 x 96 px

Each image shows one shape in one color somewhere. The same command draws the same images.
"""

from __future__ import annotations

import json
import random
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from PIL import Image, ImageDraw

SIDE_PX = 96
COLORS = {"red": (210, 40, 40), "green": (40, 160, 60), "blue": (50, 80, 210)}
SHAPES = ("circle", "square", "triangle", "star")
CORNERS = {
    "square": ((0, 0), (1, 0), (1, 1), (0, 1)),
    "triangle": ((0, 1), (1, 1), (0.5, 0)),
    "star": ((0.5, 0), (0.65, 0.35), (1, 0.5), (0.65, 0.65), (0.5, 1), (0.35, 0.65), (0, 0.5), (0.35, 0.35)),
}
"""Of shapes that have some, as shares of their width and height."""
CORNERS_QUESTION = "How many corners does the shape have?"
IMAGES, TRAINING_IMAGES = 60, 40


@dataclass(frozen=True)
class Drawing:
    """A drawn image: its file below the images, and what is on it."""

    name: str
    color: str
    shape: str
    is_left: bool
    box: tuple[int, int, int, int]
    """Left, top, right and bottom of the shape in px."""

    @property
    def place_question(self) -> str:
        """Ask for the shape's box."""
        return f"Where is the {self.color} {self.shape}?"

    @property
    def place(self) -> str:
        """Write its box as a model is to write it: shares of the image's sides, in steps of 0.05."""
        return "[{}]".format(", ".join(f"{round(20 * edge / SIDE_PX) / 20:.2f}" for edge in self.box))

    @property
    def corners(self) -> int:
        """Count its corners."""
        return len(CORNERS.get(self.shape, ()))

    def questions(self) -> list[tuple[str, str, str]]:
        """List kind, question and answer of everything that is asked about the image."""
        return [
            ("color", "What color is the shape?", self.color),
            ("shape", "Which shape is there?", self.shape),
            ("side", "On which side is the shape?", "left" if self.is_left else "right"),
            ("round", "Is the shape round?", "yes" if self.shape == "circle" else "no"),
        ]


def draw_images(folder: Path) -> list[Drawing]:
    """Draw all images into a folder; colors and shapes are equally frequent."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = list(product(COLORS, SHAPES, (True, False)))
    chance = random.Random(7)
    drawings = []
    for number in range(IMAGES):
        if number % len(kinds) == 0:
            chance.shuffle(kinds)
        color, shape, is_left = kinds[number % len(kinds)]
        gray = chance.randrange(220, 256)
        drawing = Drawing(f"{number:03}.png", color, shape, is_left, _box(chance, is_left=is_left))
        _draw(drawing, gray).save(folder / drawing.name)
        drawings.append(drawing)
    return drawings


def _box(chance: random.Random, *, is_left: bool) -> tuple[int, int, int, int]:
    size = chance.randrange(28, 40)
    left = chance.randrange(4, 10) if is_left else SIDE_PX - size - chance.randrange(4, 10)
    top = chance.randrange(8, SIDE_PX - size - 8)
    return (left, top, left + size, top + size)


def _draw(drawing: Drawing, gray: int) -> Image.Image:
    image = Image.new("RGB", (SIDE_PX, SIDE_PX), (gray,) * 3)
    pencil, color, (left, top, right, bottom) = ImageDraw.Draw(image), COLORS[drawing.color], drawing.box
    if drawing.shape == "circle":
        pencil.ellipse(drawing.box, fill=color)
    else:
        corners = CORNERS[drawing.shape]
        pencil.polygon([(left + x * (right - left), top + y * (bottom - top)) for x, y in corners], fill=color)
    return image


def write_training(file: Path, drawings: list[Drawing]) -> None:
    """Write a conversation for each question about each image."""
    records = [
        _conversation(drawing, kind, question, answer)
        for drawing in drawings
        for kind, question, answer in drawing.questions()
    ]
    file.write_text(json.dumps(records, indent=1) + "\n")


def write_more_training(file: Path, drawings: list[Drawing]) -> None:
    """Write a conversation about the place of each shape, and one about its corners."""
    records = []
    for drawing in drawings:
        records.append(_conversation(drawing, "place", drawing.place_question, drawing.place))
        records.append(_conversation(drawing, "corners", CORNERS_QUESTION, str(drawing.corners)))
    file.write_text(json.dumps(records, indent=1) + "\n")


def _conversation(drawing: Drawing, kind: str, question: str, answer: str) -> dict[str, object]:
    return {
        "id": f"{drawing.name}-{kind}",
        "image": drawing.name,
        "conversations": [{"from": "human", "value": f"<image>\n{question}"}, {"from": "gpt", "value": answer}],
    }


def write_test(file: Path, drawings: list[Drawing]) -> None:
    """Write each question about each image as a line; `groups` lets the report show each kind by itself."""
    lines = [
        {
            "id": f"{drawing.name}-{kind}",
            "image": drawing.name,
            "question": question,
            "answer": answer,
            "groups": {"kind": kind},
        }
        for drawing in drawings
        for kind, question, answer in drawing.questions()
    ]
    _write_lines(file, lines)


def write_places(file: Path, drawings: list[Drawing]) -> None:
    """Write a question for the box of each shape: a set of the family `grounding`, with corners and sizes in px."""
    lines = [
        {
            "id": drawing.name,
            "image": drawing.name,
            "question": drawing.place_question,
            "box": drawing.box,
            "size": [SIDE_PX, SIDE_PX],
        }
        for drawing in drawings
    ]
    _write_lines(file, lines)


def write_corners(file: Path, drawings: list[Drawing]) -> None:
    """Write a question for the number of corners of each shape: a set of the family `counting`."""
    lines = [
        {"id": drawing.name, "image": drawing.name, "question": CORNERS_QUESTION, "answer": drawing.corners}
        for drawing in drawings
    ]
    _write_lines(file, lines)


def _write_lines(file: Path, lines: list[dict[str, object]]) -> None:
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def main(folder: Path) -> None:
    """Draw the images and write training records and test sets about them into a folder."""
    drawings = draw_images(folder / "images")
    write_training(folder / "train.json", drawings[:TRAINING_IMAGES])
    write_test(folder / "test.jsonl", drawings[TRAINING_IMAGES:])
    write_more_training(folder / "train-more.json", drawings[:TRAINING_IMAGES])
    write_places(folder / "places.jsonl", drawings[TRAINING_IMAGES:])
    write_corners(folder / "corners.jsonl", drawings[TRAINING_IMAGES:])
    print(f"{folder}: {IMAGES} images, {TRAINING_IMAGES} of them to train on")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
