"""Forms of published files: fields with their types, and images with their size."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from trainables.miniature.scene import HEIGHT, WIDTH


def kinds(records: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Name the type of every field, which must be the same for all records."""
    (form,) = {json.dumps({key: type(value).__name__ for key, value in record.items()}) for record in records}
    return json.loads(form)  # type: ignore[no-any-return]


def opens(path: Path, file_type: str, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    """Assert that a file is an RGB image of this type and size."""
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size) == (file_type, "RGB", size)
