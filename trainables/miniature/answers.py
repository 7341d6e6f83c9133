"""Ten people's answers to a question whose answer is known, and JSON as the miniature writes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from trainables.miniature.raster import encoded
from trainables.miniature.scene import Scene

PEOPLE = 10
_AGREE = (7, 8, 9, 10)
"""From four equal answers on the known one scores 1 under every soft accuracy."""
_SURE = ("yes", "yes", "yes", "maybe", "no")


def ten_answers(draw: Random, answer: str, others: Sequence[str]) -> list[str]:
    """Mostly the answer; up to three of `others`, each once."""
    agree = draw.choice(_AGREE)
    wrong = [other for other in others if other != answer]
    given = [answer] * agree + draw.sample(wrong, min(PEOPLE - agree, len(wrong)))
    given += [answer] * (PEOPLE - len(given))
    draw.shuffle(given)
    return given


def with_confidence(draw: Random, answers: Sequence[str]) -> list[dict[str, str]]:
    return [{"answer": answer, "answer_confidence": draw.choice(_SURE)} for answer in answers]


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def write_json_lines(path: Path, rows: Sequence[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_image(path: Path, scene: Scene) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(scene, path.name))
