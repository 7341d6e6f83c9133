"""Read the package easy-vqa, which brings its images and questions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import metadata, resources
from pathlib import Path
from typing import Any, ClassVar

from search_spaces.errors import InputError
from search_spaces.spec import SourceSpec
from trainables.data.files import stats
from trainables.data.record import Record
from trainables.data.refused import Refuse, raise_refused


class EasyVQAReader:
    """Reader of the package easy-vqa: synthetic shapes on coloured grounds, with the author's own split (MIT, 2019).

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

    def records(self, refuse: Refuse = raise_refused) -> Iterator[Record]:
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
