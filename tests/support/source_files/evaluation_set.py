"""Three questions about two images, in the files of VQAv2 and of the family yes-no."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from search_spaces.spec import SourceSpec
from tests.support.json_files import write_json_lines
from tests.support.official_files.vqav2 import write_vqav2
from tests.support.small_images import png

IMAGES = [f"COCO_val2014_{number:012d}.jpg" for number in range(2)]


def write_official(folder: Path) -> SourceSpec:
    """Write a small official set, and describe it as a source."""
    _write_images(folder)
    write_vqav2(folder / "set")
    return SourceSpec(name="official", version="1", reader="official", path="set", options={"benchmark": "vqav2"})


def write_questions(folder: Path) -> SourceSpec:
    """Write a small file of questions, and describe it as a source."""
    _write_images(folder)
    rows = [
        {"id": n, "image": IMAGES[n // 2], "question": f"is it {n}?", "answer": "yes", "groups": {"split": "a"}}
        for n in range(3)
    ]
    write_json_lines(folder / "set" / "mine.jsonl", rows)
    return SourceSpec(name="questions", version="1", reader="questions", path="set", options={"benchmark": "yes-no"})


def _write_images(folder: Path) -> None:
    (folder / "set" / "images").mkdir(parents=True)
    for image in IMAGES:
        (folder / "set" / "images" / image).write_bytes(png())


WRITERS: dict[str, Callable[[Path], SourceSpec]] = {"official": write_official, "questions": write_questions}
