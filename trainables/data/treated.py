"""Say in words what is done to the images of a source when they are decoded. No torch."""

from __future__ import annotations

from collections.abc import Mapping

from search_spaces.spec import PixelSpec

_COLOURS = {(255, 255, 255): "white", (0, 0, 0): "black"}


def treated_lines(treated: Mapping[str, int], pixels: PixelSpec) -> list[str]:
    """Write a line that counts the treated images, and one for each finding that may be a mistake in the data.

    Args:
        treated: numbers of images by what is done to them.
        pixels: how images of the source become pixels.
    """
    if not treated:
        return []
    notes: dict[str, str] = {
        "nearly black after scaling": "if a smaller sample is white, declare `pixels: {white: ...}` of the source",
        "wholly transparent": "nothing but the ground is seen of them",
    }
    counts = [f"{count:,} {_words(treatment, pixels)}" for treatment, count in treated.items()]
    return [
        "images: " + ", ".join(counts),
        *(f"{treated[treatment]:,} {treatment}: {note}" for treatment, note in notes.items() if treatment in treated),
    ]


def _words(treatment: str, pixels: PixelSpec) -> str:
    if treatment == "composed on the ground":
        ground = pixels.ground
        return f"composed on {_COLOURS.get(ground, f'a ground of {list(ground)}')}"
    return f"shrunk on read to {pixels.shrink_above} megapixels or less" if treatment == "shrunk on read" else treatment
