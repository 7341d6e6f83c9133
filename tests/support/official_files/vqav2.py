"""VQAv2's questions and annotations, field for field, with invented values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.json_files import write_json


def ten_answers(*answers: str) -> list[dict[str, Any]]:
    """Make the answers of ten people: those given, the last repeated."""
    texts = [*answers, *[answers[-1]] * (10 - len(answers))]
    return [{"answer": text, "answer_confidence": "yes", "answer_id": i + 1} for i, text in enumerate(texts)]


def write_vqav2(folder: Path, references: list[list[dict[str, Any]]] | None = None) -> None:
    """Write small files of VQAv2 in the published form."""
    references = references or [ten_answers("red"), ten_answers("yes", "yes", "no"), ten_answers("2", "two", "three")]
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
    write_json(
        folder / "v2_OpenEnded_mscoco_val2014_questions.json",
        {**head, "task_type": "Open-Ended", "questions": questions},
    )
    write_json(folder / "v2_mscoco_val2014_annotations.json", {**head, "annotations": annotations})


WRITERS: dict[str, Callable[[Path], None]] = {"vqav2": write_vqav2}
