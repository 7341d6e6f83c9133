"""Draw toy data: shapes with known answers, a function of a source's options."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image, ImageDraw

from search_spaces.spec import SourceSpec
from trainables.data.record import TEXT_ONLY, Record
from trainables.data.refused import Refuse, raise_refused


class GeneratedReader:
    """Reader that draws its images: shapes with known answers, for `--toy` and tests.

    Options: `records`, `seed`, `split`, and `tags`, a comma-separated list of the tags that the records carry in turn;
    `text-only` among them makes records without an image.
    """

    COLOURS: ClassVar[Mapping[str, tuple[int, int, int]]] = {
        "red": (220, 30, 30),
        "green": (20, 160, 60),
        "blue": (30, 60, 220),
        "yellow": (240, 220, 40),
    }
    SHAPES: ClassVar = ("circle", "rectangle", "triangle")

    def __init__(self, source: SourceSpec, data_root: Path):
        options = source.options
        self._records = int(options.get("records", 64))
        self._key = f"{options.get('seed', 0)}/{options.get('split', 'train')}"
        self._tags = str(options.get("tags", "color,shape,yes-no,negated")).split(",")

    def signature(self) -> list[list[Any]]:
        return [["generated", 1, self._records, self._key, self._tags]]

    def records(self, refuse: Refuse = raise_refused) -> Iterator[Record]:
        for number in range(self._records):
            tag = self._tags[number % len(self._tags)]
            image = None if tag == TEXT_ONLY else str(number // len(self._tags))
            yield Record(str(number), image, (self._turn(number, image, tag),), (tag,))

    def _turn(self, number: int, image: str | None, tag: str) -> tuple[str, str]:
        if image is None:
            return f"what comes after {number}?", str(number + 1)
        colour, shape = self._picture(image)
        if tag == "shape":
            return "what shape is in the image?", shape
        if tag in ("yes-no", "negated"):
            named = self.SHAPES[number % len(self.SHAPES)]
            negated = tag == "negated"
            question = f"does the image {'not ' if negated else ''}contain a {named}?"
            return question, "yes" if (named == shape) != negated else "no"
        return "what color is the shape?", colour

    def _picture(self, image: str) -> tuple[str, str]:
        draw = random.Random(f"{self._key}/{image}")
        return draw.choice(sorted(self.COLOURS)), draw.choice(self.SHAPES)

    def image(self, key: str) -> bytes:
        colour, shape = self._picture(key)
        picture = Image.new("RGB", (64, 64), (255, 255, 255))
        canvas, box = ImageDraw.Draw(picture), (14, 14, 50, 50)
        if shape == "circle":
            canvas.ellipse(box, fill=self.COLOURS[colour])
        elif shape == "rectangle":
            canvas.rectangle(box, fill=self.COLOURS[colour])
        else:
            canvas.polygon([(32, 12), (12, 50), (52, 50)], fill=self.COLOURS[colour])
        buffer = io.BytesIO()
        picture.save(buffer, format="PNG")
        return buffer.getvalue()
