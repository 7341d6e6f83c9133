"""LRV-Instruct's three files with two questions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from search_spaces.spec import SourceSpec
from tests.support.json_files import write_json
from tests.support.small_images import png


def write_lrv(folder: Path) -> SourceSpec:
    """Write small files of LRV's form, and describe them as a source."""
    for image in ("lrv-vg/7.jpg", "lrv-chart/c/8.png"):
        (folder / image).parent.mkdir(parents=True)
        (folder / image).write_bytes(png())
    question = {"question": "what is it?", "answer": "red"}
    for name, images in (("filter_cap1", ["7"]), ("filter_cap_more1", []), ("chart_release_update", ["c/8.png"])):
        write_json(folder / f"{name}.json", [{"image_id": image, **question} for image in images])
    return SourceSpec(name="lrv", version="1", reader="lrv", path=".")


WRITERS: dict[str, Callable[[Path], SourceSpec]] = {"lrv": write_lrv}
