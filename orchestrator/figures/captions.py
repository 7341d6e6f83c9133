"""The captions of the figures in a folder: a section for each figure, which also lists the figures that are there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from search_spaces.errors import InputError

CAPTIONS = "captions.md"
_TITLE = "# Figures of "
_SECTION = re.compile(r"^## (.+)\n\n(.*)\n", re.MULTILINE)


def read_captions(folder: Path, study: str, kinds: Sequence[str]) -> dict[str, str]:
    """Read the captions that an earlier call has written into a folder: name of a figure -> caption.

    Args:
        folder: of figures; nothing is read where it has no captions.
        study: whose figures it may hold.
        kinds: of figures; sections with other names, which somebody has written, are passed over.

    Raises:
        InputError: the folder holds figures of another study.
    """
    file = folder / CAPTIONS
    if not file.is_file():
        return {}
    text = file.read_text(encoding="utf-8")
    title = text.partition("\n")[0]
    if title != f"{_TITLE}{study}":
        law = f"must begin with {_TITLE + study!r}, but begins with {title!r}: its figures are others than these"
        raise InputError(law, key="--output", place=str(file), way_out="Name another folder, or remove this one.")
    return {name: caption for name, caption in _SECTION.findall(text) if name.partition("-")[0] in kinds}


def captions_text(study: str, captions: Mapping[str, str]) -> str:
    """Write a section for each figure.

    Args:
        study: of the title.
        captions: name of a figure -> caption, each one line.
    """
    return "\n".join([f"{_TITLE}{study}\n", *(f"## {name}\n\n{caption}\n" for name, caption in captions.items())])
