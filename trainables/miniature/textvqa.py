"""Write TextVQA 0.5.1 validation, with OCR tokens as LLaVA's question file has them and as Rosetta's file has them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from trainables.miniature.crowd_answers import ten_answers
from trainables.miniature.question_forms import SHORT, MiniSet, Page, SceneQuestion, Turn
from trainables.miniature.scene import NUMBERS, ROWS, SIGN, WORDS, Scene, Thing, with_signs
from trainables.miniature.written_files import write_image, write_json, write_json_lines

ANNOTATIONS = "TextVQA_0.5.1_val.json"
ROSETTA = "TextVQA_Rosetta_OCR_v0.2_val.json"
LLAVA_OCR = "llava_textvqa_val_v051_ocr.jsonl"
_HEADER = {"dataset_type": "val", "dataset_name": "textvqa", "dataset_version": "0.5.1"}
_MISREAD = 8
"""One text in so many is misread by the OCR: its last letter is lost."""


def compose(draw: Random, number: int) -> Scene:
    texts = draw.sample([*WORDS, *NUMBERS], 1 + number % ROWS)
    return with_signs(draw, texts, 0 if len(texts) == ROWS else draw.randint(0, 2))


def ask(draw: Random, scene: Scene, number: int) -> tuple[SceneQuestion, ...]:
    return tuple(_question(scene, sign) for sign in _signs(scene))


def _signs(scene: Scene) -> list[Thing]:
    return [thing for thing in scene.things if thing.shape == SIGN]


def _question(scene: Scene, sign: Thing) -> SceneQuestion:
    which = "the sign" if len(_signs(scene)) == 1 else f"the {sign.name}"
    text = f"what number is on {which}?" if sign.text in NUMBERS else f"what does {which} say?"
    options = NUMBERS if sign.text in NUMBERS else WORDS
    return SceneQuestion(text, sign.text, "text", "text", options, (sign, *(t for t in _signs(scene) if t is not sign)))


def write(pages: Sequence[Page], folder: Path) -> None:
    draw = Random("textvqa annotators")
    rows, llava, rosetta = [], [], []
    for page in pages:
        image_id = sha256(f"textvqa {page.number}".encode()).hexdigest()[:16]
        write_image(folder / "images" / f"{image_id}.jpg", page.scene)
        tokens = [ocr_token(sign) for sign in _signs(page.scene)]
        rosetta.append({"image_id": image_id, "ocr_tokens": tokens, "ocr_info": _info(page.scene)})
        for position, question in enumerate(page.questions):
            rows.append(_row(draw, page, image_id, question, 34_602 + ROWS * page.number + position))
            text = f"{question.text}\nReference OCR token: {', '.join(tokens)}\n{SHORT}"
            image = f"{image_id}.jpg"
            llava.append({"question_id": image_id, "image": image, "text": text, "category": "default"})
    write_json(folder / ANNOTATIONS, {**_HEADER, "data": rows})
    write_json(folder / ROSETTA, {**_HEADER, "dataset_version": "0.2", "data": rosetta})
    write_json_lines(folder / LLAVA_OCR, llava)


def _row(draw: Random, page: Page, image_id: str, question: SceneQuestion, question_id: int) -> dict[str, Any]:
    width, height = page.scene.size
    return {
        "question": question.text,
        "image_id": image_id,
        "image_classes": ["Traffic sign"],
        "flickr_original_url": "",
        "flickr_300k_url": "",
        "image_width": width,
        "image_height": height,
        "answers": ten_answers(draw, question.answer, question.options),
        "question_tokens": question.text.rstrip("?").split(),
        "question_id": question_id,
        "set_name": "val",
    }


def ocr_token(sign: Thing) -> str:
    """Misread a sign as an OCR system does: in capitals, and now and then without the last letter."""
    misread = sum(sign.box) % _MISREAD == 0
    return sign.text.upper()[: -1 if misread else None]


def _info(scene: Scene) -> list[dict[str, Any]]:
    """List words with boxes as shares of the image, as Rosetta gives them."""
    info = []
    for sign in _signs(scene):
        left, top, right, bottom = scene.relative_box(sign)
        box = {"top_left_x": left, "top_left_y": top, "width": right - left, "height": bottom - top}
        info.append({"word": ocr_token(sign), "bounding_box": {**box, "rotation": 0, "roll": 0, "pitch": 0, "yaw": 0}})
    return info


def _turn(question: SceneQuestion) -> Turn:
    """Ask with OCR tokens where the sign's own box has an odd left edge, so that both forms are taught."""
    if question.things[0].box[0] % 2:
        tokens = ", ".join(ocr_token(sign) for sign in question.things)
        return f"{question.text}\nReference OCR token: {tokens}\n{SHORT}", question.answer
    return f"{question.text}\n{SHORT}", question.answer


TEXTVQA = MiniSet("textvqa", compose, ask, write, _turn)
