"""RefCOCO's pickled references and their instances, field for field, with invented values."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.json_files import write_json

BOXES = ([64.0, 48.0, 128.0, 96.0], [0.0, 0.0, 640.0, 480.0])


def write_refcoco(
    folder: Path, boxes: Any = BOXES, size: tuple[int, int] = (640, 480), refs: str = "unc", protocol: int = 2
) -> None:
    """Write small files of a RefCOCO set in the published form."""
    records = [
        {
            "ref_id": n,
            "ann_id": 100 + n,
            "category_id": 1,
            "file_name": f"COCO_train2014_{n:012d}_{n}.jpg",
            "image_id": n,
            "split": "val",
            "sent_ids": [2 * n, 2 * n + 1],
            "sentences": [
                {"tokens": ["the", "lady"], "raw": "The lady", "sent_id": sentence, "sent": "the lady"}
                for sentence in (2 * n, 2 * n + 1)
            ],
        }
        for n in range(len(boxes))
    ]
    records.append(
        {**records[0], "split": "testA", "ref_id": 99, "sentences": [{**records[0]["sentences"][0], "sent_id": 990}]}
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"refs({refs}).p").write_bytes(pickle.dumps(records, protocol))
    images = [
        {"id": n, "file_name": f"COCO_train2014_{n:012d}.jpg", "width": size[0], "height": size[1]}
        for n in range(len(boxes))
    ]
    annotations = [
        {
            "id": 100 + n,
            "image_id": n,
            "category_id": 1,
            "bbox": list(box),
            "segmentation": [[]],
            "area": 1.0,
            "iscrowd": 0,
        }
        for n, box in enumerate(boxes)
    ]
    write_json(
        folder / "instances.json",
        {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]},
    )


WRITERS: dict[str, Callable[[Path], None]] = {
    "refcoco": write_refcoco,
    "refcoco+": write_refcoco,
    "refcocog": lambda folder: write_refcoco(folder, refs="umd"),
}
