"""Write a small set of a user's own: drawn images, training records, questions and a study of two arms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

COLORS = {"crimson": (200, 20, 60), "teal": (0, 128, 128), "gold": (250, 200, 0)}
SHAPES = ("disc", "slab")

STUDY = """\
study: own-set
question: Do pretrained weights help on drawings of our own?
base:
  vision: {backbone: efficientnet-lite0, resolution: 64, resize: naive}
  language: tiny
  stages: [finetune]
  epochs: 1
  data: ours
recipe: quickstart
axes: {vision.weights: [pretrained, random]}
seeds: [7]
sources:
  our-train: {reader: llava, path: train.json, image_folder: images}
  our-test: {reader: questions, path: test.jsonl, image_folder: images, options: {benchmark: exact}}
mixes: {ours: {parts: [{source: our-train}]}}
benchmarks: [{id: our-colors, source: our-test}]
"""


def pictures(folder: Path, count: int) -> list[tuple[str, str, str]]:
    """Draw pictures into a folder; return name, colour and shape of each."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for number in range(count):
        color, shape = list(COLORS)[number % 3], SHAPES[number // 3 % 2]
        image = Image.new("RGB", (64, 64), (240, 240, 240))
        left = 6 + number % 9
        draw = ImageDraw.Draw(image).ellipse if shape == "disc" else ImageDraw.Draw(image).rectangle
        draw((left, 10 + number % 7, left + 36, 46 + number % 7), fill=COLORS[color])
        image.save(folder / f"{number}.png")
        drawn.append((f"{number}.png", color, shape))
    return drawn


def write_training(file: Path, drawn: list[tuple[str, str, str]], suffix: str = "") -> None:
    """Write LLaVA's records about pictures: a question for the colour and one for the shape of each."""
    records = [
        {
            "id": f"{name}-{number}",
            "image": name,
            "conversations": [
                {"from": "human", "value": f"<image>\n{question}{suffix}"},
                {"from": "gpt", "value": answer},
            ],
        }
        for name, color, shape in drawn
        for number, (question, answer) in enumerate([("Which color is it?", color), ("Which shape is it?", shape)])
    ]
    file.write_text(json.dumps(records))


def questions(drawn: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    """Make the records of a set of the family `exact` about pictures."""
    return [
        {"id": f"{name}-{kind}", "image": name, "question": f"Which {kind} is it?", "answer": answer}
        for name, color, shape in drawn
        for kind, answer in (("color", color), ("shape", shape))
    ]


def write_lines(file: Path, records: list[dict[str, Any]]) -> None:
    """Write records as JSON Lines."""
    file.write_text("".join(json.dumps(record) + "\n" for record in records))


def write_own_set(folder: Path, count: int = 12, suffix: str = "") -> Path:
    """Write pictures, training records, a test set and a study into a folder; return the study's file.

    Args:
        folder: the data folder.
        count: number of pictures: two in three are trained on, the others asked about.
        suffix: what every training question ends with.
    """
    drawn = pictures(folder / "images", count)
    cut = 2 * count // 3
    write_training(folder / "train.json", drawn[:cut], suffix)
    write_lines(folder / "test.jsonl", questions(drawn[cut:]))
    study = folder / "study.yaml"
    study.write_text(STUDY)
    return study
