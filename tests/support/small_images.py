"""Encode small images for tests."""

from __future__ import annotations

import io

from PIL import Image


def png(shade: int = 200) -> bytes:
    """Encode an image of 8 x 8 px of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 10, 10)).save(buffer, "PNG")
    return buffer.getvalue()
