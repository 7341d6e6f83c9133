"""OCID-Ref's expressions, field for field, with invented values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.json_files import write_json


def write_ocidref(
    folder: Path, takes: tuple[int, ...] = (0, 9, 10, 16, 17, 20), box: str = "[100, 120, 180, 210]"
) -> None:
    """Write small files of OCID-Ref in the published form."""
    rows = {
        str(83152 + n): {
            "seq_id": "12",
            "scene_id": "301",
            "take_id": take,
            "scene_path": f"ARID20/floor/top/seq06/rgb/result_{n}.png",
            "sequence_path": "ARID20/floor/top/seq06",
            "sub_dataset": "ARID20",
            "instance_id": 5527,
            "scene_instance_id": 18,
            "class": "ball",
            "class_instance": "ball_1",
            "sentence": "the ball behind the mug",
            "tokens": ["the", "ball"],
            "bbox": box,
            "sentence_type": "...",
        }
        for n, take in enumerate(takes)
    }
    write_json(folder / "val_expressions.json", rows)


WRITERS: dict[str, Callable[[Path], None]] = {"ocidref": write_ocidref}
