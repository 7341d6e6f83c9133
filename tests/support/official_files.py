"""Small sets in the official formats, field for field, with invented values."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _write(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def _lines(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def ten(*answers: str) -> list[dict[str, Any]]:
    """Ten people's answers: those given, the last repeated."""
    texts = [*answers, *[answers[-1]] * (10 - len(answers))]
    return [{"answer": text, "answer_confidence": "yes", "answer_id": i + 1} for i, text in enumerate(texts)]


def vqav2(folder: Path, references: list[list[dict[str, Any]]] | None = None) -> None:
    references = references or [ten("red"), ten("yes", "yes", "no"), ten("2", "two", "three")]
    kinds = ("other", "yes/no", "number")
    head = {"info": {}, "data_type": "mscoco", "data_subtype": "val2014", "license": {}}
    questions = [{"image_id": n // 2, "question": f"question {n}?", "question_id": n} for n in range(len(references))]
    annotations = [
        {
            "question_id": n,
            "image_id": n // 2,
            "question_type": "what",
            "answer_type": kinds[n % 3],
            "multiple_choice_answer": answers[-1]["answer"] if answers else "",
            "answers": answers,
        }
        for n, answers in enumerate(references)
    ]
    _write(
        folder / "v2_OpenEnded_mscoco_val2014_questions.json",
        {**head, "task_type": "Open-Ended", "questions": questions},
    )
    _write(folder / "v2_mscoco_val2014_annotations.json", {**head, "annotations": annotations})


def gqa_question(answer: str, image: str = "n1", **changes: Any) -> dict[str, Any]:
    question = {
        "semantic": [{"operation": "select", "dependencies": [], "argument": "scene"}],
        "entailed": [],
        "equivalent": [],
        "question": "Is it overcast?",
        "imageId": image,
        "isBalanced": True,
        "groups": {"global": None, "local": "06-weather_overcast"},
        "answer": answer,
        "semanticStr": "...",
        "annotations": {"answer": {}, "question": {}, "fullAnswer": {}},
        "types": {"detailed": "weatherVerify", "semantic": "global", "structural": "verify"},
        "fullAnswer": "No, it is clear.",
    }
    return {**question, **changes}


def gqa(folder: Path, questions: dict[str, Any] | None = None) -> None:
    default = {
        "201": gqa_question("no"),
        "202": gqa_question("t-shirt", types={"detailed": "x", "semantic": "obj", "structural": "query"}),
    }
    _write(folder / "testdev_balanced_questions.json", questions or default)


def vizwiz(folder: Path, references: list[list[str]] | None = None, answerable: list[int] | None = None) -> None:
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
    _write(folder / "val.json", rows)


def textvqa(folder: Path, references: list[list[str]] | None = None) -> None:
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
    _write(folder / "TextVQA_0.5.1_val.json", {**head, "data": data})


def textvqa_ocr(folder: Path) -> None:
    textvqa(folder)
    tokens = [{"image_id": f"003a{n}", "ocr_tokens": ["ACME", "12"]} for n in range(2)]
    _write(folder / "TextVQA_Rosetta_OCR_v0.2_val.json", {"data": tokens})


BOXES = ([64.0, 48.0, 128.0, 96.0], [0.0, 0.0, 640.0, 480.0])


def refcoco(
    folder: Path, boxes: Any = BOXES, size: tuple[int, int] = (640, 480), refs: str = "unc", protocol: int = 2
) -> None:
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
    _write(
        folder / "instances.json",
        {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]},
    )


def ocidref(folder: Path, takes: tuple[int, ...] = (0, 9, 10, 16, 17, 20), box: str = "[100, 120, 180, 210]") -> None:
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
    _write(folder / "val_expressions.json", rows)


def vsr(folder: Path, labels: tuple[int, ...] = (1, 0, 1)) -> None:
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
    _lines(folder / "test.jsonl", rows)


def pope(
    folder: Path,
    labels: tuple[str, ...] = ("yes", "no", "yes", "no"),
    splits: tuple[str, ...] = ("random", "popular", "adversarial"),
) -> None:
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
        _lines(folder / f"coco_pope_{split}.json", rows)


def tallyqa(folder: Path, rows: list[tuple[int, str, bool]] | None = None) -> None:
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
    _write(folder / "test.json", questions)


def ai2d(folder: Path, options: tuple[str, ...] = ("fox", "cow", "hawk", "krill"), correct: int = 2) -> None:
    for image in ("12", "7"):
        questions = {
            f"What eats grass in {image}?": {
                "abcLabel": False,
                "answerTexts": list(options),
                "correctAnswer": correct,
                "questionId": f"{image}.png-0",
            }
        }
        _write(folder / "questions" / f"{image}.png.json", {"imageName": f"{image}.png", "questions": questions})
    (folder / "ai2d_test_ids.csv").write_text("7\n")


WRITERS: dict[str, Callable[[Path], None]] = {
    "vqav2": vqav2,
    "gqa": gqa,
    "vizwiz": vizwiz,
    "textvqa": textvqa,
    "textvqa-ocr": textvqa_ocr,
    "refcoco": refcoco,
    "refcoco+": refcoco,
    "refcocog": lambda folder: refcoco(folder, refs="umd"),
    "ocidref": ocidref,
    "vsr": vsr,
    "pope": pope,
    "tallyqa": tallyqa,
    "ai2d": ai2d,
}
