"""Claims about answers that a model cannot say."""

from __future__ import annotations

import pytest

from trainables.benchmarks.contract import Example
from trainables.benchmarks.registry import find_benchmark
from trainables.evaluation.sayable import unsayable
from trainables.model.lexicon import Lexicon
from trainables.model.tokenizer import WORD

KNOWN = {"red", "yes", "no", "3", "a", "fox", "t", "-", "shirt", "."}
LEXICON = Lexicon(
    lambda text: [word for word in WORD.findall(text.lower()) if word not in KNOWN],
    lambda text: " ".join(WORD.findall(text.lower())),
    lambda text: len(WORD.findall(text)),
)


@pytest.mark.parametrize(
    ("family", "protocol", "example", "words"),
    [
        ("exact", "plain", Example("1", "i", "i", "?", (), "Red"), ()),
        ("exact", "plain", Example("1", "i", "i", "?", (), "teal"), ("teal",)),
        ("vqa", "plain", Example("1", "i", "i", "?", (), ["red"] * 9 + ["teal"]), ()),
        ("vqa", "plain", Example("1", "i", "i", "?", (), ["teal"] * 9 + ["red"]), ("teal",)),
        ("yes-no", "likelihood", Example("1", "i", "i", "?", (), "no"), ()),
        ("counting", "plain", Example("1", "i", "i", "?", (), 3), ()),
        ("counting", "plain", Example("1", "i", "i", "?", (), 4), ("4",)),
        ("multiple-choice", "plain", Example("1", "i", "i", "?", ("fox", "cow"), 0), ()),
        ("multiple-choice", "plain", Example("1", "i", "i", "?", ("fox", "cow"), 1), ("b",)),
        ("grounding", "plain", Example("1", "i", "i", "?", (), {"box": [0, 0, 1, 1], "size": [9, 9]}), ()),
    ],
)
def test_an_answer_can_be_said_if_something_as_right_can(
    family: str, protocol: str, example: Example, words: tuple[str, ...]
) -> None:
    found = unsayable(find_benchmark(family).protocol(protocol), [example], LEXICON)
    assert found.words == words
    assert found.changed == ()


def test_answers_that_are_read_back_as_another_text_are_told_apart() -> None:
    protocol = find_benchmark("gqa").protocol("official")
    found = unsayable(protocol, [Example("1", "i", "i", "?", (), {"answer": "t-shirt"})], LEXICON)
    assert found.unknown == ()
    assert found.changed == (("t-shirt", "t - shirt"),)


def test_answers_longer_than_what_a_protocol_lets_a_model_write_are_told_apart() -> None:
    example = Example("1", "i", "i", "?", (), " ".join(["red"] * 20))
    assert unsayable(find_benchmark("exact").protocol("official"), [example], LEXICON).long == (example.reference,)
    assert unsayable(find_benchmark("exact").protocol("plain"), [example], LEXICON).long == ()


def test_open_prompts_have_no_one_right_answer() -> None:
    example = Example("1", "i", "i", "?", (), {"vocabulary": {"zebra": ["zebra"]}, "objects": ["zebra"]})
    found = unsayable(find_benchmark("open").protocol("official"), [example], LEXICON)
    assert found.unknown == found.changed == found.long == ()
