"""Questions are typed by what could be known of their answers without an image."""

from __future__ import annotations

from trainables.benchmarks.contract import Example
from trainables.benchmarks.question_types import REST, question_types


def _asked(question: str, times: int = 1, **groups: str) -> list[Example]:
    return [Example(question, "image", None, question, groups=groups) for _ in range(times)]


def test_a_question_asked_often_is_a_type_else_what_the_reader_knows_else_the_first_words() -> None:
    often = _asked("Is there a dog?", 50)
    known = [example for i in range(50) for example in _asked(f"Does it number {i}?", structural="verify")]
    worded = [example for i in range(50) for example in _asked(f"How many of {i}?")]
    types = question_types([*often, *known, *worded, *_asked("Why?")])
    assert [types[0], types[50], types[100], types[150]] == [
        "question: is there a dog",
        "structural: verify",
        "words: how many",
        REST,
    ]
