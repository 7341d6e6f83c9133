"""AI2D's questions and the list of its test images, field for field, with invented values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.json_files import write_json


def write_ai2d(folder: Path, options: tuple[str, ...] = ("fox", "cow", "hawk", "krill"), correct: int = 2) -> None:
    """Write small files of AI2D in the published form."""
    for image in ("12", "7"):
        questions = {
            f"What eats grass in {image}?": {
                "abcLabel": False,
                "answerTexts": list(options),
                "correctAnswer": correct,
                "questionId": f"{image}.png-0",
            }
        }
        write_json(folder / "questions" / f"{image}.png.json", {"imageName": f"{image}.png", "questions": questions})
    (folder / "ai2d_test_ids.csv").write_text("7\n")


WRITERS: dict[str, Callable[[Path], None]] = {"ai2d": write_ai2d}
