"""Compose the scenes that images are drawn from: shapes with colours and boxes, signs with words.

Things stand in the cells of a grid, so that they never touch, and a model of a few hundred thousand weights can learn
where they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "red": (215, 25, 30),
    "green": (20, 150, 55),
    "blue": (30, 65, 215),
    "yellow": (240, 210, 30),
    "purple": (140, 40, 160),
    "black": (20, 20, 20),
}
SHAPES = ("circle", "square", "triangle", "cross")
SIGN = "sign"
NAMES = tuple((colour, shape) for colour in COLOURS for shape in SHAPES)
WORDS = ("stop", "exit", "taxi", "cafe", "bank", "sale", "open", "zoo", "bus", "gym")
NUMBERS = ("12", "25", "37", "48", "60", "94")
GROUNDS = ((250, 250, 250), (228, 232, 238), (245, 236, 222), (222, 238, 226))

COLUMNS, ROWS, CELL = 4, 3, 40
WIDTH, HEIGHT = COLUMNS * CELL, ROWS * CELL
_SIDES = (24, 28, 32, 36)
_CLEARLY = 20
"""Centres must be this many px apart for one thing to be left of or above another. In neighbouring cells they are 26 px
apart at least, within one column or row of cells 14 px at most: a relation is clear or it does not hold."""

Box = tuple[int, int, int, int]
Cell = tuple[int, int]


@dataclass(frozen=True)
class Thing:
    """Shape or sign. `box` is left, top, right, bottom in px; the right and bottom edges are outside of it."""

    colour: str
    shape: str
    box: Box
    text: str = ""
    """Drawn on the thing, in capitals."""

    @property
    def name(self) -> str:
        return f"{self.colour} {self.shape}"

    @property
    def centre(self) -> tuple[float, float]:
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2


@dataclass(frozen=True)
class Scene:
    """Things, arrows and ground of one image."""

    things: tuple[Thing, ...]
    ground: tuple[int, int, int] = GROUNDS[0]
    arrows: tuple[tuple[int, int], ...] = ()
    """Pairs of things, by number, of which the first points to the second; both stand in one row."""
    veil: Literal["", "blur", "dark"] = ""
    """What makes an image useless: none of its things can be recognised."""
    scale: int = 1
    """Image px per px of the boxes."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the image in px."""
        return WIDTH * self.scale, HEIGHT * self.scale

    def box(self, thing: Thing) -> Box:
        """Scale a thing's box: left, top, right, bottom in px of the image."""
        left, top, right, bottom = (self.scale * edge for edge in thing.box)
        return left, top, right, bottom

    def relative_box(self, thing: Thing) -> tuple[float, float, float, float]:
        """Normalise a thing's box: left, top, right, bottom as shares of width and height."""
        left, top, right, bottom = thing.box
        return left / WIDTH, top / HEIGHT, right / WIDTH, bottom / HEIGHT

    def names(self) -> list[str]:
        return [thing.name for thing in self.things]

    def only(self, *, colour: str | None = None, shape: str | None = None) -> Thing | None:
        """Find the only thing of a colour, a shape or both; None if there is none or more than one."""
        matches = self.all(colour=colour, shape=shape)
        return matches[0] if len(matches) == 1 else None

    def all(self, *, colour: str | None = None, shape: str | None = None) -> list[Thing]:
        return [t for t in self.things if colour in (None, t.colour) and shape in (None, t.shape)]


def left_of(thing: Thing, anchor: Thing) -> bool:
    """Check whether a thing is clearly left of an anchor, in any row."""
    return anchor.centre[0] - thing.centre[0] >= _CLEARLY


def above(thing: Thing, anchor: Thing) -> bool:
    """Check whether a thing is clearly above an anchor, in any column."""
    return anchor.centre[1] - thing.centre[1] >= _CLEARLY


def several(draw: Random, count: int) -> Scene:
    """Compose `count` shapes of different names, each in a cell of its own."""
    return arranged(draw, draw.sample(NAMES, count))


def arranged(draw: Random, names: Sequence[tuple[str, str]]) -> Scene:
    """Compose things of the given colours and shapes, each somewhere in a cell of its own."""
    cells = draw.sample([(column, row) for column in range(COLUMNS) for row in range(ROWS)], len(names))
    return placed(draw, zip(names, cells, strict=True))


def placed(draw: Random, things: Iterable[tuple[tuple[str, str], Cell]]) -> Scene:
    """Compose things in given cells."""
    drawn = tuple(_in_cell(draw, colour, shape, cell) for (colour, shape), cell in things)
    return Scene(drawn, draw.choice(GROUNDS))


def with_signs(draw: Random, texts: Sequence[str], shapes: int) -> Scene:
    """Compose signs of different colours, each in a row of its own, and shapes in the remaining rows.

    Args:
        draw: source of randomness.
        texts: words of the signs, which are two cells wide; at most as many as there are rows.
        shapes: how many shapes; 0 where signs fill all rows.
    """
    rows = draw.sample(range(ROWS), len(texts))
    colours = draw.sample(list(COLOURS), len(texts))
    signs = [_sign(draw, colour, text, row) for colour, text, row in zip(colours, texts, rows, strict=True)]
    cells = [(column, row) for row in range(ROWS) if row not in rows for column in range(COLUMNS)]
    scene = placed(draw, zip(draw.sample(NAMES, shapes), draw.sample(cells, shapes), strict=True))
    return replace(scene, things=(*signs, *scene.things))


def _in_cell(draw: Random, colour: str, shape: str, cell: Cell) -> Thing:
    side = draw.choice(_SIDES)
    left, top = (CELL * position + 1 + draw.randint(0, CELL - side - 2) for position in cell)
    return Thing(colour, shape, (left, top, left + side, top + side))


def _sign(draw: Random, colour: str, text: str, row: int) -> Thing:
    left = draw.randint(1, WIDTH - 2 * CELL - 1)
    top = CELL * row + draw.randint(1, 5)
    return Thing(colour, SIGN, (left, top, left + 2 * CELL - 2, top + 33), text)
