"""Make small pictures of images as they were prepared."""

from __future__ import annotations

import io
from typing import Literal

from search_spaces.spec import PixelSpec
from trainables.data.decode import decode

LARGEST_SIDE = 240
"""In pixels."""


def thumbnail(image_bytes: bytes, pixels: PixelSpec, form: Literal["JPEG", "PNG"]) -> bytes:
    """Encode an image with no side longer than `LARGEST_SIDE`.

    Args:
        image_bytes: of the file, as it was prepared.
        pixels: how it becomes pixels.
        form: JPEG is smaller; PNG is what terminals take.
    """
    small = io.BytesIO()
    picture = decode(image_bytes, pixels).picture
    picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    picture.save(small, form, **({"quality": 90} if form == "JPEG" else {}))
    return small.getvalue()
