"""TallyQA's test file, field for field, with invented values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.json_files import write_json


def write_tallyqa(folder: Path, rows: list[tuple[int, str, bool]] | None = None) -> None:
    """Write small files of TallyQA in the published form."""
    rows = rows or [(4, "amt", False), (2, "imported_genome", True), (3, "imported_vqa", False), (16, "amt", True)]
    questions = [
        {
            "answer": answer,
            "data_source": source,
            "image": f"VG_100K_2/{n}.jpg",
            "image_id": 92410408 + n,
            "issimple": simple,
            "question": "How many headlights does the black bus have?",
            "question_id": 30095774 + n,
        }
        for n, (answer, source, simple) in enumerate(rows)
    ]
    write_json(folder / "test.json", questions)


WRITERS: dict[str, Callable[[Path], None]] = {"tallyqa": write_tallyqa}
