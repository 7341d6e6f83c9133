"""VizWiz's validation file, field for field, with invented values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.json_files import write_json


def write_vizwiz(folder: Path, references: list[list[str]] | None = None, answerable: list[int] | None = None) -> None:
    """Write small files of VizWiz in the published form."""
    references = references or [["basil"] * 10, ["unanswerable"] * 8 + ["Coke"] * 2]
    rows = [
        {
            "image": f"VizWiz_val_{n:08d}.jpg",
            "question": "What is this?",
            "answers": [{"answer": text, "answer_confidence": "yes"} for text in texts],
            "answer_type": "unanswerable" if texts[0] == "unanswerable" else "other",
            "answerable": answerable[n] if answerable else int(texts[0] != "unanswerable"),
        }
        for n, texts in enumerate(references)
    ]
    write_json(folder / "val.json", rows)


WRITERS: dict[str, Callable[[Path], None]] = {"vizwiz": write_vizwiz}
