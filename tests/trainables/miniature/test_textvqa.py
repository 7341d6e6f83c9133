"""The drawn TextVQA has the published formats, and its words are those on the signs."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
from scipy import ndimage

from tests.support.file_forms import kinds, opens
from tests.support.seen_pixels import Pixels, pixels_of
from tests.support.small_miniature import of, read_json, read_json_lines
from trainables.miniature.font import text_mask
from trainables.miniature.scene import COLOURS, NUMBERS, WORDS


def test_textvqa_has_annotations_and_both_forms_of_ocr_in_one_order() -> None:
    annotations = read_json(of("textvqa") / "TextVQA_0.5.1_val.json")
    assert {key: annotations[key] for key in annotations if key != "data"} == {
        "dataset_type": "val", "dataset_name": "textvqa", "dataset_version": "0.5.1",
    }  # fmt: skip
    rows = annotations["data"]
    assert kinds(rows) == {
        "question": "str", "image_id": "str", "image_classes": "list", "flickr_original_url": "str",
        "flickr_300k_url": "str", "image_width": "int", "image_height": "int", "answers": "list",
        "question_tokens": "list", "question_id": "int", "set_name": "str",
    }  # fmt: skip
    assert all(len(row["answers"]) == 10 for row in rows)
    assert len({row["question_id"] for row in rows}) == len(rows)
    llava = read_json_lines(of("textvqa") / "llava_textvqa_val_v051_ocr.jsonl")
    assert kinds(llava) == {"question_id": "str", "image": "str", "text": "str", "category": "str"}
    rosetta = {row["image_id"]: row for row in read_json(of("textvqa") / "TextVQA_Rosetta_OCR_v0.2_val.json")["data"]}
    assert kinds(rosetta.values()) == {"image_id": "str", "ocr_tokens": "list", "ocr_info": "list"}
    for row, llava_row in zip(rows, llava, strict=True):
        question, ocr, instruction = llava_row["text"].split("\n")
        assert (question, llava_row["question_id"]) == (row["question"], row["image_id"])
        assert ocr == f"Reference OCR token: {', '.join(rosetta[row['image_id']]['ocr_tokens'])}"
        assert instruction == "Answer the question using a single word or phrase."
        assert [info["word"] for info in rosetta[row["image_id"]]["ocr_info"]] == rosetta[row["image_id"]]["ocr_tokens"]
        opens(of("textvqa") / "images" / llava_row["image"], "JPEG", (row["image_width"], row["image_height"]))


def test_words_on_signs_are_those_of_the_annotations() -> None:
    for row in read_json(of("textvqa") / "TextVQA_0.5.1_val.json")["data"]:
        image = pixels_of(of("textvqa") / "images" / f"{row['image_id']}.jpg")
        (answer, _), *_ = Counter(row["answers"]).most_common()
        colour = re.search(rf"the ({'|'.join(COLOURS)}) sign", row["question"])
        read = [text for on, text in _texts(image) if colour is None or on == colour[1]]
        assert read == [answer]


def _texts(image: Pixels) -> list[tuple[str, str]]:
    """Read (colour, text) of every sign: the text whose dots fit what is not of the sign's colour."""
    texts = []
    for colour in COLOURS:
        near = np.abs(image - COLOURS[colour]).sum(axis=2) < 120
        labels, _ = ndimage.label(near)
        for number, (y, x) in enumerate(ndimage.find_objects(labels), 1):
            if x.stop - x.start > 60 and (labels[y, x] == number).mean() > 0.5:
                texts.append((colour, _read(~near[y, x])))
    return texts


def _read(ink: np.ndarray[Any, np.dtype[np.bool_]]) -> str:
    def misfit(text: str) -> float:
        mask, expected = text_mask(text.upper(), 3), np.zeros_like(ink)
        top, left = (ink.shape[0] - mask.shape[0]) // 2, (ink.shape[1] - mask.shape[1]) // 2
        expected[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
        return float((expected != ink).mean())

    return min((*WORDS, *NUMBERS), key=misfit)
