"""Claims about prompts that are unlike the training questions."""

from __future__ import annotations

import pytest

from trainables.benchmarks.contract import Example
from trainables.benchmarks.registry import find_benchmark
from trainables.evaluation.prompt_forms import unseen_forms

SHORT = "Answer the question using a single word or phrase."
EXAMPLES = [Example(str(n), "i", "i", f"What is number {n}?", ("fox", "cow"), n % 2) for n in range(4)]
PLAIN = ["What is it?", "How many are there?"]


@pytest.mark.parametrize(
    ("family", "protocol", "training", "sentences"),
    [
        ("exact", "plain", PLAIN, []),
        ("exact", "official", [f"{question}\n{SHORT}" for question in PLAIN], []),
        ("exact", "official", [*PLAIN, f"Which?\n{SHORT}"], []),
        ("exact", "official", PLAIN, [f"no training question of ours ends with '{SHORT}', as all prompts do"]),
        (
            "exact",
            "plain",
            [f"{question}\n{SHORT}" for question in PLAIN],
            [f"every training question of ours ends with '{SHORT}', and no prompt does end so"],
        ),
        (
            "multiple-choice",
            "official",
            PLAIN,
            [
                "no training question of ours ends with \"Answer with the option's letter from the given choices"
                ' directly.", as all prompts do'
            ],
        ),
        (
            "grounding",
            "official",
            PLAIN,
            [
                "no training question of ours begins with 'Please provide the bounding box coordinate of the region"
                " this sentence describes: \"', as all prompts do"
            ],
        ),
    ],
)
def test_words_that_one_side_alone_has_are_found(
    family: str, protocol: str, training: list[str], sentences: list[str]
) -> None:
    forms = unseen_forms(find_benchmark(family).protocol(protocol), EXAMPLES, lambda: training)
    assert [form.sentence("ours") for form in forms] == sentences
