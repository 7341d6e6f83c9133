"""What needs no image is scored from the references alone, whatever a model says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trainables.benchmarks.best_reachable import best_row
from trainables.benchmarks.contract import Example, Parsed, Protocol
from trainables.benchmarks.priors import BEST_BY_TYPE, BEST_CONSTANT, Priors, priors_of
from trainables.benchmarks.registry import find_benchmark
from trainables.benchmarks.scoring import score_example


def _priors(protocol: Protocol, examples: list[Example], outputs: list[str]) -> Priors:
    rows = [score_example(protocol, example, output) for example, output in zip(examples, outputs, strict=True)]
    return priors_of(protocol, rows, [best_row(protocol, example) for example in examples])


def test_priors_of_two_types_of_question() -> None:
    """100 times yes to one question and 60 of 100 times no to another: no constant knows which is asked."""
    protocol = find_benchmark("yes-no").protocol("official")
    truths = ["yes"] * 100 + ["no"] * 60 + ["yes"] * 40
    examples = [
        Example(str(i), str(i), None, "Is there light?" if i < 100 else "Is there a cat?", reference=truth)
        for i, truth in enumerate(truths)
    ]
    priors = _priors(protocol, examples, ["no"] * 200)
    assert priors.points == {BEST_CONSTANT: pytest.approx(70), BEST_BY_TYPE: pytest.approx(80)}
    assert priors.points == _priors(protocol, examples, truths).points, "they do not depend on a model's answers"


def test_types_of_balanced_questions_gain_nothing_by_luck() -> None:
    """The better of two equally frequent answers to 25 questions is right for 58 of 100 by luck, in all 40 types."""
    protocol = find_benchmark("yes-no").protocol("official")
    truths = np.where(np.random.default_rng(2).uniform(size=1000) < 0.5, "yes", "no")
    examples = [
        Example(str(i), str(i), None, f"Is it thing {i % 40}?", reference=str(truth)) for i, truth in enumerate(truths)
    ]
    points = _priors(protocol, examples, ["yes"] * 1000).points
    assert points[BEST_BY_TYPE] - points[BEST_CONSTANT] < 2


def test_priors_of_soft_accuracy_take_the_answer_that_most_people_gave() -> None:
    protocol = find_benchmark("vqav2").protocol("prismatic")
    examples = [
        Example(str(i), str(i), None, f"what {i}?", reference=["red"] * 10 if i % 4 else ["blue"] * 8 + ["red"] * 2)
        for i in range(8)
    ]
    red = 100 * (6 + 2 * (0.2 * 1 / 3 + 0.8 * 2 / 3)) / 8
    assert _priors(protocol, examples, [""] * 8).points[BEST_CONSTANT] == pytest.approx(red)


@pytest.mark.parametrize("protocol", ["official", "prismatic", "lmms", "vlmevalkit"])
def test_priors_of_boxes_are_a_box_that_fits_many(protocol: str) -> None:
    scorer = find_benchmark("refcoco").protocol(protocol)
    wide, tall = {"box": [100, 50, 300, 150], "size": [400, 200]}, {"box": [25, 100, 75, 300], "size": [100, 400]}
    examples = [Example(str(i), str(i), None, f"thing {i}", reference=wide if i % 2 else tall) for i in range(10)]
    assert _priors(scorer, examples, [""] * 10).points[BEST_CONSTANT] == 100, "the same shares of every image"


def test_a_constant_is_parsed_once_for_all_questions_that_are_read_alike() -> None:
    scorer = find_benchmark("refcoco").protocol("prismatic")
    parsed = []

    def parse(output: str, example: Example) -> Parsed:
        parsed.append((output, tuple(example.reference["size"])))
        return scorer.parse(output, example)

    sizes = [[400, 200], [100, 400]]
    examples = [
        Example(str(i), str(i), None, f"thing {i}", reference={"box": [i, 50, 90, 150], "size": sizes[i % 2]})
        for i in range(60)
    ]
    best = [best_row(scorer, example) for example in examples]
    rows = [score_example(scorer, example, "") for example in examples]
    counting = replace(scorer, parse=parse)
    assert priors_of(counting, rows, best).points == priors_of(scorer, rows, best).points
    boxes, forms, sized, scorings = 2, 4, len(sizes), 2
    assert len(parsed) <= scorings * boxes * forms * sized


def test_score_by_chance_is_that_of_all_exchanges_within_a_type() -> None:
    protocol = find_benchmark("counting").protocol("official")
    rng = np.random.default_rng(0)
    truths, said = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    examples = [
        Example(str(i), str(i), None, "How many dogs?" if i < 120 else "How many cats?", reference=int(truth))
        for i, truth in enumerate(truths)
    ]
    priors = _priors(protocol, examples, [str(count) for count in said])
    expected = sum(
        (truths[part][:, None] == said[part]).mean() * (part.stop - part.start) / 200
        for part in (slice(0, 120), slice(120, 200))
    )
    assert priors.by_chance.mean() == pytest.approx(expected)
