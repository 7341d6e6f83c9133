"""VSR's captions, field for field, with invented values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.json_files import write_json_lines


def write_vsr(folder: Path, labels: tuple[int, ...] = (1, 0, 1)) -> None:
    """Write small files of VSR in the published form."""
    rows = [
        {
            "image": f"{17697 + n:012d}.jpg",
            "image_link": "http://images.cocodataset.org/train2017/000000017697.jpg",
            "caption": "The car is behind the suitcase.",
            "label": label,
            "relation": "behind",
            "subj": "car",
            "obj": "suitcase",
            "annotator_id": 2,
            "vote_true_validator_id": "[18, 2]",
            "vote_false_validator_id": "[1]",
        }
        for n, label in enumerate(labels)
    ]
    write_json_lines(folder / "test.jsonl", rows)


WRITERS: dict[str, Callable[[Path], None]] = {"vsr": write_vsr}
