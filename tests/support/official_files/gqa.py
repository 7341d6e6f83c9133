"""GQA's balanced questions, field for field, with invented values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.json_files import write_json


def gqa_question(answer: str, image: str = "n1", **changes: Any) -> dict[str, Any]:
    """Make a question of GQA with all published fields."""
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


def write_gqa(folder: Path, questions: dict[str, Any] | None = None) -> None:
    """Write small files of GQA in the published form."""
    default = {
        "201": gqa_question("no"),
        "202": gqa_question("t-shirt", types={"detailed": "x", "semantic": "obj", "structural": "query"}),
    }
    write_json(folder / "testdev_balanced_questions.json", questions or default)


WRITERS: dict[str, Callable[[Path], None]] = {"gqa": write_gqa}
