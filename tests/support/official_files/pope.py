"""POPE's three files, field for field, with invented values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.json_files import write_json_lines


def write_pope(
    folder: Path,
    labels: tuple[str, ...] = ("yes", "no", "yes", "no"),
    splits: tuple[str, ...] = ("random", "popular", "adversarial"),
) -> None:
    """Write small files of POPE in the published form."""
    for split in splits:
        rows = [
            {
                "question_id": n + 1,
                "image": f"COCO_val2014_{n // 2:012d}.jpg",
                "text": "Is there a snowboard in the image?",
                "label": label,
            }
            for n, label in enumerate(labels)
        ]
        write_json_lines(folder / f"coco_pope_{split}.json", rows)


WRITERS: dict[str, Callable[[Path], None]] = {"pope": write_pope}
