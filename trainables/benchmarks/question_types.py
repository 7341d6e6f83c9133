"""Tell of what type a question is: what a model could know of the answer before it has seen an image."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from trainables.benchmarks.contract import Example

ENOUGH = 50
"""Questions that a type needs: the best answer to fewer is picked by luck. The questions of smaller types are one type
together."""
REST = ""
"""The type of the questions whose own type is too small."""
_KINDS = ("question_type", "relation", "structural", "type")
"""Kinds of groups that are types of questions, in the words of VQAv2, VSR, and GQA; the first that an example has."""
_WORD = re.compile(r"\w+")
_FIRST_WORDS = 2


def question_types(examples: Sequence[Example]) -> list[str]:
    """Name the type of every question.

    A question that is asked often in the same words is a type of its own. Else it is of the type that the benchmark's
    reader knows, or that of its first two words.
    """
    asked = [" ".join(_WORD.findall(example.question.lower())) for example in examples]
    times = Counter(asked)
    named = [
        f"question: {question}" if times[question] >= ENOUGH else _type_of(example, question)
        for example, question in zip(examples, asked, strict=True)
    ]
    sizes = Counter(named)
    return [name if sizes[name] >= ENOUGH else REST for name in named]


def members_of_types(types: Sequence[str]) -> dict[str, list[int]]:
    """Collect the positions of the questions of each type."""
    members: dict[str, list[int]] = {}
    for position, name in enumerate(types):
        members.setdefault(name, []).append(position)
    return members


def _type_of(example: Example, question: str) -> str:
    kind = next((kind for kind in _KINDS if kind in example.groups), None)
    if kind is not None:
        return f"{kind}: {example.groups[kind]}"
    return f"words: {' '.join(question.split()[:_FIRST_WORDS])}"
