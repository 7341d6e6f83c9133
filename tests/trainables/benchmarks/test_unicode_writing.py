"""Answers that are a right one in other characters are wrong by the rules, and said to be so with the other score."""

from __future__ import annotations

import pytest

from trainables.benchmarks.contract import Example
from trainables.benchmarks.predictions import Prediction, Predictions
from trainables.benchmarks.registry import find_benchmark
from trainables.benchmarks.scoring import score_predictions
from trainables.benchmarks.unicode_writing import same_in_other_characters

WRITINGS = [
    ("caf\u00e9", "cafe\u0301"),
    ("cafe\u0301", "caf\u00e9"),
    ("don\u2019t", "don't"),
    ("t-shirt", "t\u2011shirt"),
    ("red", "r\u200bed"),
    ("red", "\ufeffred"),
    ("5", "\uff15"),
]


@pytest.mark.parametrize(("family", "field"), [("exact", str), ("vqa", lambda text: [text] * 3)])
@pytest.mark.parametrize(("reference", "answer"), WRITINGS)
def test_a_right_answer_in_other_characters_is_noted_with_its_score(
    family: str, field: type, reference: str, answer: str
) -> None:
    examples = [Example(str(n), str(n), None, "q", reference=field(text)) for n, text in enumerate([reference, "blue"])]
    texts = {"0": answer, "1": "blue"}
    answers = Predictions({name: Prediction(text, None, name) for name, text in texts.items()}, (), "p")
    scored = score_predictions(find_benchmark(family), "official", examples, answers, None)
    assert scored.metrics["accuracy"] == 50
    (note,) = [note for note in scored.warnings if "other characters" in note]
    assert note.startswith("1 of 2 answers")
    assert f"e.g. {answer!a} to 0: in those of the references accuracy is 100.00" in note


def test_other_words_other_case_and_blanks_at_the_ends_are_no_other_characters() -> None:
    for text in ("th\u00e9", "CAF\u00c9", " caf\u00e9\n", "cafe"):
        assert same_in_other_characters(text, ["caf\u00e9"]) is None
    assert same_in_other_characters("red", ["blue", "green"]) is None
    assert same_in_other_characters("cafe\u0301", ["th\u00e9", "caf\u00e9"]) == "caf\u00e9"
