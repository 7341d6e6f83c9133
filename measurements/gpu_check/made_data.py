"""Write the data of the check: pictures of noise, conversations with log-normal lengths, questions on the pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from measurements.gpu_check.forms import Form

QUALITY = 90
"""Of the JPEG files: of 640 x 480 px some 100 kB each, as those of COCO."""

SPREAD = 0.8
"""Standard deviation of the logarithm of a text's length: of a mean of 256 tokens, 1 % have more than 1,200."""

QUESTIONS_OF_A_PICTURE = 8
_QUESTION = "What does the picture show? "
_ALPHABET = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz      ", dtype=np.uint8)


def write_data(folder: Path, form: Form) -> None:
    """Write pictures, `texts.json`, `longest.json`, `own.jsonl` and `shared.jsonl` into an empty folder.

    Args:
        folder: that the sources of the study are relative to.
        form: number of records, pictures and questions, and lengths of texts.
    """
    random = np.random.default_rng(0)
    (folder / "images").mkdir()
    pictures = [f"{number}.jpg" for number in range(max(form.records, form.own_pictures, form.shared_pictures))]
    for name in pictures:
        _write_picture(folder / "images" / name, *form.picture, random)
    location = math.log(form.mean_text) - SPREAD**2 / 2
    drawn = random.lognormal(location, SPREAD, form.records)
    lengths = np.clip(drawn, len(_QUESTION) + 8, form.longest_text).astype(int).tolist()
    _write_conversations(folder / "texts.json", pictures, lengths, random)
    _write_conversations(folder / "longest.json", pictures, [2 * form.longest_text] * form.records, random)
    _write_questions(folder / "own.jsonl", pictures[: form.own_pictures], 1)
    _write_questions(folder / "shared.jsonl", pictures[: form.shared_pictures], QUESTIONS_OF_A_PICTURE)


def _write_picture(file: Path, width: int, height: int, random: np.random.Generator) -> None:
    """Write a picture of coarse and fine noise, which JPEG makes about as large as a photograph."""
    coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((width, height))
    fine = random.integers(-16, 17, (height, width, 3))
    pixels = np.clip(np.asarray(coarse).astype(int) + fine, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, quality=QUALITY)


def _write_conversations(
    file: Path, pictures: Sequence[str], lengths: Iterable[int], random: np.random.Generator
) -> None:
    """Write a conversation of one turn for each length, in bytes; those that are too long for the model are cut."""
    records = [
        {
            "id": str(number),
            "image": pictures[number],
            "conversations": [
                {"from": "human", "value": f"<image>\n{_QUESTION}"},
                {"from": "gpt", "value": _ALPHABET[random.integers(0, 32, length - len(_QUESTION))].tobytes().decode()},
            ],
        }
        for number, length in enumerate(lengths)
    ]
    file.write_text(json.dumps(records))


def _write_questions(file: Path, pictures: Iterable[str], each: int) -> None:
    questions: list[dict[str, Any]] = [
        {"id": f"{picture}-{number}", "image": picture, "question": f"{_QUESTION}({number})", "answer": "noise"}
        for picture in pictures
        for number in range(each)
    ]
    file.write_text("".join(json.dumps(question) + "\n" for question in questions))
