"""Readers of data sources: official files in, records and image bytes out. No torch.

A reader is a class with `signature` (what its content depends on), `records` and `image`, which threads may call at
once; where images are files, `image_file` names them. Enter a new one in `READERS`; the contract test runs over all.
"""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Iterator, Mapping
from importlib import metadata, resources
from pathlib import Path
from typing import Any, ClassVar, Protocol

from search_spaces.errors import InputError, nearest
from search_spaces.spec import SourceSpec
from trainables.data.evaluation_sets import EvaluationReader
from trainables.data.files import stats
from trainables.data.llava import LlavaReader
from trainables.data.lrv import LrvReader
from trainables.data.parquet import ParquetReader
from trainables.data.record import TEXT_ONLY, Record
from trainables.miniature.generate import make_if_asked


class Reader(Protocol):
    """How the records and images of one source are read."""

    def __init__(self, source: SourceSpec, data_root: Path): ...
    def signature(self) -> list[list[Any]]:
        """What must be unchanged for the content to be unchanged: (name, size, mtime) of files, or versions."""
        ...

    def records(self) -> Iterator[Record]:
        """All records, in the order of the file. Raises InputError naming the record that cannot be read."""
        ...

    def image(self, key: str) -> bytes:
        """The encoded image. Raises FileNotFoundError if it is missing."""
        ...


def open_reader(source: SourceSpec, data_root: Path) -> Reader:
    """The reader of a source. Raises InputError for unknown readers and missing files.

    The files of a miniature are drawn here, when they are first asked for.
    """
    if source.path is not None:
        make_if_asked(source.path, data_root)
    try:
        kind = READERS[source.reader]
    except KeyError:
        raise InputError(
            f"reader must be one of {', '.join(sorted(READERS))}, but got {source.reader!r}",
            key=f"sources.{source.name}.reader",
            way_out=nearest(source.reader, READERS),
        ) from None
    return kind(source, data_root)


class EasyVQAReader:
    """The package easy-vqa: synthetic shapes on coloured grounds, with the author's own split (MIT, 2019).

    Options: `split` (train or test) and `images` (only the first so many images). Tags follow the question's wording.
    """

    NEGATION: ClassVar = re.compile(r"\b(not|no)\b")
    """"does the image not contain a circle?", "is no circle present?"."""
    ANSWERS_OF_SHAPE: ClassVar = frozenset({"rectangle", "circle", "triangle"})

    def __init__(self, source: SourceSpec, data_root: Path):
        try:
            package = Path(str(resources.files("easy_vqa")))
        except ModuleNotFoundError:
            raise InputError(
                "the package easy-vqa must be installed",
                key=f"sources.{source.name}",
                way_out="pip install 'ablate-vlm[quickstart]'",
            ) from None
        self._folder = package / "data" / str(source.options.get("split", "train"))
        self._images = source.options.get("images")

    def signature(self) -> list[list[Any]]:
        return [["easy-vqa", metadata.version("easy-vqa")], *stats([self._folder / "questions.json"])]

    def records(self) -> Iterator[Record]:
        questions = json.loads((self._folder / "questions.json").read_text())
        for number, (question, answer, image) in enumerate(questions):
            if self._images is None or image < int(self._images):
                yield Record(str(number), str(image), ((question, answer),), (self._tag(question, answer),))

    def _tag(self, question: str, answer: str) -> str:
        if answer in ("yes", "no"):
            return "negated" if self.NEGATION.search(question) else "yes-no"
        return "shape" if answer in self.ANSWERS_OF_SHAPE else "color"

    def image(self, key: str) -> bytes:
        return (self._folder / "images" / f"{key}.png").read_bytes()


class GeneratedReader:
    """Drawn shapes with known answers, for `--toy` and tests.

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

    def records(self) -> Iterator[Record]:
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
            asked = self.SHAPES[number % len(self.SHAPES)]
            negated = tag == "negated"
            question = f"does the image {'not ' if negated else ''}contain a {asked}?"
            return question, "yes" if (asked == shape) != negated else "no"
        return "what color is the shape?", colour

    def _picture(self, image: str) -> tuple[str, str]:
        draw = random.Random(f"{self._key}/{image}")
        return draw.choice(sorted(self.COLOURS)), draw.choice(self.SHAPES)

    def image(self, key: str) -> bytes:
        from PIL import Image, ImageDraw

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


READERS: Mapping[str, type[Reader]] = {
    "easy-vqa": EasyVQAReader,
    "llava": LlavaReader,
    "lrv": LrvReader,
    "parquet": ParquetReader,
    "generated": GeneratedReader,
    "official": EvaluationReader,
    "questions": EvaluationReader,
}
