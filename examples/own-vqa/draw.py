"""Draw a small set of images with questions: python examples/own-vqa/draw.py FOLDER

FOLDER/train.json      160 conversations about 40 images, in the form of LLaVA
FOLDER/test.jsonl      80 questions about 20 other images, one JSON object per line
FOLDER/images/         60 images of 96 x 96 px

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
IMAGES, TRAINING_IMAGES = 60, 40


@dataclass(frozen=True)
class Drawing:
    """A drawn image: its file below the images, and what is on it."""

    name: str
    color: str
    shape: str
    is_left: bool

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
        drawing = Drawing(f"{number:03}.png", *kinds[number % len(kinds)])
        _draw(drawing, chance).save(folder / drawing.name)
        drawings.append(drawing)
    return drawings


def _draw(drawing: Drawing, chance: random.Random) -> Image.Image:
    image = Image.new("RGB", (SIDE_PX, SIDE_PX), (chance.randrange(220, 256),) * 3)
    size = chance.randrange(28, 40)
    left = chance.randrange(4, 10) if drawing.is_left else SIDE_PX - size - chance.randrange(4, 10)
    top = chance.randrange(8, SIDE_PX - size - 8)
    box = (left, top, left + size, top + size)
    pencil, color = ImageDraw.Draw(image), COLORS[drawing.color]
    if drawing.shape == "circle":
        pencil.ellipse(box, fill=color)
    else:
        pencil.polygon([(left + x * size, top + y * size) for x, y in CORNERS[drawing.shape]], fill=color)
    return image


def write_training(file: Path, drawings: list[Drawing]) -> None:
    """Write a conversation for each question about each image."""
    records = [
        {
            "id": f"{drawing.name}-{kind}",
            "image": drawing.name,
            "conversations": [
                {"from": "human", "value": f"<image>\n{question}"},
                {"from": "gpt", "value": answer},
            ],
        }
        for drawing in drawings
        for kind, question, answer in drawing.questions()
    ]
    file.write_text(json.dumps(records, indent=1) + "\n")


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
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def main(folder: Path) -> None:
    """Draw the images and write both files into a folder."""
    drawings = draw_images(folder / "images")
    write_training(folder / "train.json", drawings[:TRAINING_IMAGES])
    write_test(folder / "test.jsonl", drawings[TRAINING_IMAGES:])
    print(f"{folder}: {IMAGES} images, {TRAINING_IMAGES} of them to train on")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
