"""Draw docs/miniature.png: one image of every set of the miniature with a question about it.

python docs/contact_sheet.py
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).parent.parent))

from trainables.miniature.generate import SETS, Size, pages
from trainables.miniature.question_forms import Page
from trainables.miniature.raster import rasterise

COLUMNS, WIDTH, HEIGHT, TEXT, GAP = 4, 200, 150, 62, 12
SHOWN = {"vizwiz": 4, "textvqa": 1, "tallyqa": 4, "ocidref": 5, "refcocog": 3}
"""Which image is shown, where the first one does not show what a set is about."""


def main() -> None:
    rows = -(-len(SETS) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (WIDTH + GAP) + GAP, rows * (HEIGHT + TEXT + GAP) + GAP), "white")
    for position, (name, members) in enumerate(SETS.items()):
        row, column = divmod(position, COLUMNS)
        corner = (GAP + column * (WIDTH + GAP), GAP + row * (HEIGHT + TEXT + GAP))
        _show(sheet, corner, name, pages(members, Size())[SHOWN.get(name, 0)])
    sheet.quantize(64).save(Path(__file__).parent / "miniature.png", optimize=True)


def _show(sheet: Image.Image, corner: tuple[int, int], name: str, page: Page) -> None:
    left, top = corner
    picture, canvas = Image.fromarray(rasterise(page.scene)), ImageDraw.Draw(sheet)
    sheet.paste(picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS), corner)
    question = page.questions[0]
    if question.skill == "box":
        scale = WIDTH / page.scene.size[0]
        canvas.rectangle(
            [
                edge * scale + offset
                for edge, offset in zip(page.scene.box(question.things[0]), 2 * corner, strict=True)
            ],
            outline=(255, 0, 200),
            width=2,
        )
    lines = [name, *textwrap.wrap(f"{question.text} {question.answer}", 36)]
    for number, line in enumerate(lines[:4]):
        canvas.text((left, top + HEIGHT + 3 + 14 * number), line, fill="black" if number else (180, 0, 120))


main()
