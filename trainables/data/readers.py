"""Readers of data sources: official files in, records and image bytes out. No torch.

A reader is a class with `files` (what its content depends on), `records` and `image`. To add one, write it here and
enter it in `READERS`; the contract test runs over all of them.
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
from trainables.data.record import TEXT_ONLY, Record

PLANNED_ONLY = "official"
"""Reader of catalogue entries whose files this version does not read: studies of them can be written and planned."""


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
    """The reader of a source. Raises InputError for unknown readers and missing files."""
    if source.reader == PLANNED_ONLY:
        raise InputError(
            f"the official files of {source.name} can be planned with, but this version cannot read them yet",
            key=f"sources.{source.name}",
            way_out="Run the study with --toy, or name benchmarks that are read already (suite easy-vqa, or your own).",
        )
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
        return [["easy-vqa", metadata.version("easy-vqa")], *_stat([self._folder / "questions.json"])]

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


class LlavaReader:
    """LLaVA's JSON: `[{"id", "image"?, "conversations": [{"from": "human"|"gpt", "value"}]}]`, images in a folder."""

    def __init__(self, source: SourceSpec, data_root: Path):
        if source.path is None:
            raise InputError("a llava source needs `path`, its JSON file", key=f"sources.{source.name}")
        self._name = source.name
        self._file = data_root / source.path
        self._images = data_root / source.image_folder if source.image_folder else self._file.parent
        _must_exist(self._file, source, data_root)

    def signature(self) -> list[list[Any]]:
        images = (self._images / record.image for record in self.records() if record.image)
        return _stat([self._file, *(path for path in sorted(set(images)) if path.exists())])

    def records(self) -> Iterator[Record]:
        try:
            rows = json.loads(self._file.read_text())
        except ValueError as error:
            raise InputError(f"must be a JSON array, but {error}", place=str(self._file)) from error
        for number, row in enumerate(rows):
            yield _llava_record(row, number, f"{self._file}[{number}]")

    def image(self, key: str) -> bytes:
        return (self._images / key).read_bytes()


class ParquetReader:
    """Parquet with columns `id`, `image` (bytes, or a struct with `bytes`; null for text), `conversations`, `tags`?."""

    def __init__(self, source: SourceSpec, data_root: Path):
        if source.path is None:
            raise InputError("a parquet source needs `path`, a file or folder", key=f"sources.{source.name}")
        path = data_root / source.path
        _must_exist(path, source, data_root)
        self._files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        self._cached: tuple[int, Any] | None = None

    def signature(self) -> list[list[Any]]:
        return _stat(self._files)

    def records(self) -> Iterator[Record]:
        for number, file in enumerate(self._files):
            table = self._table(number)
            for row, entry in enumerate(table.drop_columns(["image"]).to_pylist()):
                has_image = table["image"][row].is_valid
                entry["image"] = f"{number}:{row}" if has_image else None
                yield _llava_record(entry, row, f"{file}[{row}]")

    def image(self, key: str) -> bytes:
        number, row = map(int, key.split(":"))
        value = self._table(number)["image"][row].as_py()
        return value["bytes"] if isinstance(value, dict) else value  # type: ignore[no-any-return]

    def _table(self, number: int) -> Any:
        import pyarrow
        import pyarrow.parquet

        if self._cached is None or self._cached[0] != number:
            file = self._files[number]
            try:
                table = pyarrow.parquet.read_table(file)
            except (pyarrow.ArrowException, OSError) as error:
                raise InputError(f"must be a readable Parquet file, but {error}", place=str(file)) from error
            missing = {"id", "image", "conversations"} - set(table.column_names)
            if missing:
                raise InputError(f"must have the columns {sorted(missing)}", place=str(file))
            self._cached = (number, table)
        return self._cached[1]


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
    "parquet": ParquetReader,
    "generated": GeneratedReader,
}


def _llava_record(row: Any, number: int, place: str) -> Record:
    if not isinstance(row, dict) or not isinstance(row.get("conversations"), list):
        raise InputError("a record must be an object with a list `conversations`", place=place)
    values: list[str] = []
    for turn, expected in zip(row["conversations"], _roles(), strict=False):
        if turn.get("from") != expected:
            raise InputError(
                f"turns must alternate human, gpt, but turn {len(values)} is {turn.get('from')!r}", place=place
            )
        values.append(str(turn.get("value", "")).replace("<image>", "").strip())
    if not values or len(values) % 2:
        raise InputError(f"conversations must be human, gpt pairs, but there are {len(values)} turns", place=place)
    image = row.get("image")
    tags = tuple(row.get("tags") or ())
    return Record(
        id=str(row.get("id", number)),
        image=image,
        turns=tuple(zip(values[::2], values[1::2], strict=True)),
        tags=tags if image is not None else (*tags, TEXT_ONLY),
    )


def _roles() -> Iterator[str]:
    while True:
        yield "human"
        yield "gpt"


def _stat(files: list[Path]) -> list[list[Any]]:
    return [[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files]


def _must_exist(path: Path, source: SourceSpec, data_root: Path) -> None:
    if not path.exists():
        raise InputError(
            f"the data of source {source.name!r} must be at {path}, but there is nothing",
            key=f"sources.{source.name}.path",
            way_out=f"Put it there, or name another folder than {data_root} with --data or ABLATE_DATA.",
        )
