"""Answers that are exchanged among questions get what answers get that have nothing to do with the images."""

from __future__ import annotations

import numpy as np
import pytest

from trainables.benchmarks import permuted_answers
from trainables.benchmarks.contract import Example
from trainables.benchmarks.permuted_answers import chance_scores
from trainables.benchmarks.registry import find_benchmark
from trainables.benchmarks.scoring import score_example


def test_random_exchanges_agree_with_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = find_benchmark("exact").protocol("official")
    rng = np.random.default_rng(1)
    words = [f"word{chr(97 + i)}" for i in range(20)]
    truths = [words[int(i)] for i in rng.zipf(1.5, 3000) % 20]
    said = [truth if right else words[int(i)] for truth, right, i in zip(
        truths, rng.uniform(size=3000) < 0.3, rng.zipf(1.5, 3000) % 20, strict=True
    )]  # fmt: skip
    rows = [
        score_example(protocol, Example(str(i), str(i), None, "what?", reference=truth), answer)
        for i, (truth, answer) in enumerate(zip(truths, said, strict=True))
    ]
    exact = chance_scores(protocol, rows, ["what"] * 3000)
    monkeypatch.setattr(permuted_answers, "_MOST_SCORINGS", 20 * 3000 - 1)
    drawn = chance_scores(protocol, rows, ["what"] * 3000)
    assert 100 * drawn.mean() == pytest.approx(100 * exact.mean(), abs=0.5)
    assert np.corrcoef(drawn, exact)[0, 1] > 0.9
    scores = np.array([row.score for row in rows])
    assert (scores - exact).std() < (scores - exact.mean()).std(), "chance explains a part of the scores"


def test_a_constant_answer_gets_by_chance_just_what_it_got() -> None:
    protocol = find_benchmark("yes-no").protocol("official")
    rows = [
        score_example(protocol, Example(str(i), str(i), None, "is it?", reference=truth), "yes")
        for i, truth in enumerate(["yes"] * 30 + ["no"] * 20)
    ]
    assert chance_scores(protocol, rows, ["is it"] * 50) == pytest.approx([row.score for row in rows])
