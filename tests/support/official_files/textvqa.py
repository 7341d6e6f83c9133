"""TextVQA's validation file and its OCR tokens, field for field, with invented values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.json_files import write_json


def write_textvqa(folder: Path, references: list[list[str]] | None = None) -> None:
    """Write small files of TextVQA in the published form."""
    references = references or [["acme"] * 10, ["12", "12", "twelve", *["12 oz"] * 7]]
    data = [
        {
            "question_id": 34602 + n,
            "question": "what is the brand of this camera?",
            "image_id": f"003a{n}",
            "image_classes": ["Camera"],
            "image_width": 1024,
            "image_height": 664,
            "answers": texts,
            "set_name": "val",
        }
        for n, texts in enumerate(references)
    ]
    head = {"dataset_type": "val", "dataset_name": "textvqa", "dataset_version": "0.5.1"}
    write_json(folder / "TextVQA_0.5.1_val.json", {**head, "data": data})


def write_textvqa_ocr(folder: Path) -> None:
    """Write small files of TextVQA with its OCR tokens in the published form."""
    write_textvqa(folder)
    tokens = [{"image_id": f"003a{n}", "ocr_tokens": ["ACME", "12"]} for n in range(2)]
    write_json(folder / "TextVQA_Rosetta_OCR_v0.2_val.json", {"data": tokens})


WRITERS: dict[str, Callable[[Path], None]] = {"textvqa": write_textvqa, "textvqa-ocr": write_textvqa_ocr}
