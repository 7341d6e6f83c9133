"""Questions are typed by what could be known of their answers without an image."""

from __future__ import annotations

from trainables.benchmarks.contract import Example
from trainables.benchmarks.question_types import ENOUGH, REST, question_types


def _asked(question: str, times: int = 1, **groups: str) -> list[Example]:
    return [Example(question, "image", None, question, groups=groups) for _ in range(times)]


def test_a_question_is_of_the_finest_type_that_enough_questions_share() -> None:
    often = _asked("Is there a dog?", ENOUGH)
    colors = [example for i in range(ENOUGH) for example in _asked(f"What color is {i}?", structural="query")]
    known = [example for i in range(ENOUGH) for example in _asked(f"{i} or not?", structural="query")]
    worded = [example for i in range(ENOUGH) for example in _asked(f"How many of {i}?")]
    types = question_types([*often, *colors, *known, *worded, *_asked("Why?")])
    assert [types[i * ENOUGH] for i in range(5)] == [
        "question: is there a dog",
        "structural query, words: what color is",
        "structural query",
        "words: how many of",
        REST,
    ]
