"""Tell of what type a question is: what a model could know of the answer before it has seen an image."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from trainables.benchmarks.contract import Example

ENOUGH = 25
"""Questions that a type needs. Those of smaller types are sorted by a coarser name, in the end into one type."""
REST = ""
"""The type of the questions of which not enough have any name in common."""
_KINDS = ("question_type", "relation", "structural", "type")
"""Kinds of groups that are types of questions, in the words of VQAv2, VSR, and GQA; the first that an example has."""
_WORD = re.compile(r"\w+")


def question_types(examples: Sequence[Example]) -> list[str]:
    """Name the type of every question, by the finest name that enough questions share.

    From fine to coarse: the whole question; what the benchmark's reader knows as its type, with its first three words,
    with two, and alone; its first word.
    """
    names = [list(_names(example)) for example in examples]
    types = [REST] * len(examples)
    left = list(range(len(examples)))
    for level in range(max(map(len, names), default=0)):
        sizes = Counter(names[i][level] for i in left)
        for i in left:
            if sizes[names[i][level]] >= ENOUGH:
                types[i] = names[i][level]
        left = [i for i in left if types[i] == REST]
    return types


def members_of_types(types: Sequence[str]) -> dict[str, list[int]]:
    """Collect the positions of the questions of each type."""
    members: dict[str, list[int]] = {}
    for position, name in enumerate(types):
        members.setdefault(name, []).append(position)
    return members


def _names(example: Example) -> Iterator[str]:
    """Name the type of a question, finest name first. Every question has as many names."""
    words = _WORD.findall(example.question.lower())
    kind = next((f"{kind} {example.groups[kind]}, " for kind in _KINDS if kind in example.groups), "")
    yield f"question: {' '.join(words)}"
    for count in (3, 2):
        yield f"{kind}words: {' '.join(words[:count])}"
    yield kind.removesuffix(", ") or f"words: {' '.join(words[:1])}"
    yield f"words: {' '.join(words[:1])}"
