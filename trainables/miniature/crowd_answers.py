"""Draw ten people's answers to a question whose answer is known."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

PEOPLE = 10
_AGREE = (7, 8, 9, 10)
"""From four equal answers on the known one scores 1 under every soft accuracy."""
_SURE = ("yes", "yes", "yes", "maybe", "no")


def ten_answers(draw: Random, answer: str, distractors: Sequence[str]) -> list[str]:
    """Draw ten answers: mostly the known one, and up to three distractors, each once.

    Args:
        draw: source of randomness.
        answer: the known answer.
        distractors: wrong answers; the known one among them is skipped.
    """
    agree = draw.choice(_AGREE)
    wrong = [text for text in distractors if text != answer]
    given = [answer] * agree + draw.sample(wrong, min(PEOPLE - agree, len(wrong)))
    given += [answer] * (PEOPLE - len(given))
    draw.shuffle(given)
    return given


def with_confidence(draw: Random, answers: Sequence[str]) -> list[dict[str, str]]:
    return [{"answer": answer, "answer_confidence": draw.choice(_SURE)} for answer in answers]
