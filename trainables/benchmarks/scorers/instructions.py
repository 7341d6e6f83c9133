"""Define the instructions that several harnesses put after a question: exact strings, as scores depend on them.

Sources: TRI-ML/vlm-evaluation@d9f5896 (vlm_eval/models/prismatic.py), EvolvingLMMs-Lab/lmms-eval, haotian-liu/LLaVA.
"""

from __future__ import annotations

from collections.abc import Sequence

SHORT = "\nAnswer the question using a single word or phrase."
UNANSWERABLE = "\nWhen the provided information is insufficient, respond with 'Unanswerable'."
LETTER = "\nAnswer with the option's letter from the given choices directly."
BOX = "Please provide the bounding box coordinate of the region this sentence describes: "
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def short_answer(question: str) -> str:
    return question + SHORT


def multiple_choice(question: str, options: Sequence[str]) -> str:
    listed = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
    return f"{question}\n{listed}{LETTER}"


def region(sentence: str) -> str:
    return f'{BOX}"{sentence}"'
