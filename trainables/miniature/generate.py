"""Generate a miniature: a folder of official files, training records and open prompts that its size determines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from search_spaces.errors import InputError
from trainables.miniature import qualitative
from trainables.miniature.ai2d import AI2D
from trainables.miniature.gqa import GQA
from trainables.miniature.ocidref import OCIDREF
from trainables.miniature.pope import POPE
from trainables.miniature.question_forms import MiniSet, Page
from trainables.miniature.refer import REFCOCO, REFCOCO_PLUS, REFCOCOG
from trainables.miniature.scene import Scene
from trainables.miniature.tallyqa import TALLYQA
from trainables.miniature.textvqa import TEXTVQA
from trainables.miniature.training import Lesson, lessons, write_training
from trainables.miniature.vizwiz import VIZWIZ
from trainables.miniature.vqav2 import VQAV2
from trainables.miniature.vsr import VSR
from trainables.storage.store import LocalStore

VERSION = 1
"""Raised when equal sizes make other files."""

SETS: Mapping[str, MiniSet] = {
    members.name: members
    for members in (
        VQAV2, GQA, VIZWIZ, TEXTVQA, REFCOCO, REFCOCO_PLUS, REFCOCOG, OCIDREF, VSR, POPE, TALLYQA, AI2D,
    )
}  # fmt: skip
BENCHMARKS, QUALITATIVE = "benchmarks", "qualitative"
ROOT = "miniature/"
"""Paths of sources that begin so lie in a miniature."""


@dataclass(frozen=True)
class Size:
    """Numbers of images of a miniature, and its seed."""

    images: int = 48
    """Of each set; of VizWiz, which asks one question per image, three times as many."""
    training_images: int = 600
    """Plain scenes of the training records; other scenes come on top."""
    seed: int = 7

    @property
    def folder(self) -> str:
        """Folder of the miniature below `--data`, named by all that it is made from."""
        return f"{ROOT}v{VERSION}-images{self.images}-train{self.training_images}-seed{self.seed}"


def generate_if_named(path: str, data_root: Path) -> None:
    """Generate the miniature that a source's path lies in, if it lies in one that is not there yet.

    Raises InputError if the name of the miniature's folder is not one that this version can make.
    """
    if not path.startswith(ROOT):
        return
    folder = "/".join(path.split("/")[:2])
    if (data_root / folder).exists():
        return
    named = re.fullmatch(rf"{ROOT}v{VERSION}-images(\d+)-train(\d+)-seed(\d+)", folder)
    if named is None:
        raise InputError(
            f"a miniature must be called {ROOT}v{VERSION}-images<N>-train<N>-seed<N>, but got {folder!r}",
            key="path",
            way_out=f"The default one is {Size().folder}.",
        )
    ready(Size(*map(int, named.groups())), data_root)


def ready(size: Size, data_root: Path) -> Path:
    """Generate a miniature below `--data`, whole or not at all, if it is not there yet; return its folder."""
    store = LocalStore(data_root.absolute())
    if not store.exists(size.folder):
        with store.writing(size.folder) as aside:
            generate(size, aside)
    return store.reading(size.folder)


def generate(size: Size, folder: Path) -> None:
    """Write `benchmarks/<id>/...` for every set, `mini-train.json` with `train/...`, and `qualitative/...`."""
    for name, members in SETS.items():
        target = folder / BENCHMARKS / name
        target.mkdir(parents=True, exist_ok=True)
        members.write(pages(members, size), target)
    write_training(training(size), folder)
    qualitative.write_samples(samples(size), folder / QUALITATIVE)


def pages(members: MiniSet, size: Size) -> list[Page]:
    """Draw the images of a set and the questions about them."""
    return [_page(members, number, size.seed) for number in range(size.images * (3 if members is VIZWIZ else 1))]


def samples(size: Size) -> list[Scene]:
    return [
        qualitative.compose(Random(f"{size.seed}/qualitative/{number}"), number)
        for number in range(qualitative.SAMPLES)
    ]


def training(size: Size) -> list[Lesson]:
    shown = {page.scene for members in SETS.values() for page in pages(members, size)} | set(samples(size))
    return list(lessons(SETS, size.training_images, size.seed, shown))


def _page(members: MiniSet, number: int, seed: int) -> Page:
    draw = Random(f"{seed}/test/{members.name}/{number}")
    scene = members.compose(draw, number)
    return Page(number, scene, members.ask(draw, scene, number))
