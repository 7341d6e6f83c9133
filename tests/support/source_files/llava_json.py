"""A conversation about an image and one without, in LLaVA's JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from search_spaces.spec import SourceSpec
from tests.support.json_files import write_json
from tests.support.small_images import png

CONVERSATION = [{"from": "human", "value": "<image>\nwhat is it?"}, {"from": "gpt", "value": " red "}]
WITHOUT_IMAGE = [{"from": "human", "value": "what colour is blood? "}, {"from": "gpt", "value": " red "}]


def write_llava(folder: Path) -> SourceSpec:
    """Write a small file of LLaVA's form, and describe it as a source."""
    (folder / "images").mkdir()
    (folder / "images" / "a.png").write_bytes(png())
    about_image = {"id": "a", "image": "a.png", "conversations": CONVERSATION}
    write_json(folder / "chat.json", [about_image, {"id": "b", "conversations": WITHOUT_IMAGE}])
    return SourceSpec(name="llava", version="1", reader="llava", path="chat.json", image_folder="images")


WRITERS: dict[str, Callable[[Path], SourceSpec]] = {"llava": write_llava}
