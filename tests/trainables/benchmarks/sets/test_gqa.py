"""GQA's protocols on the cases in which the original programs were seen to differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.json_files import write_json
from tests.support.official_files.gqa import gqa_question, write_gqa
from tests.support.official_scores import points, read, scored


@pytest.mark.parametrize(
    ("answer", "output", "expected"),
    [
        ("yes", "Yes.", (0, 1, 1, 1, 0)),
        ("t-shirt", "t-shirt", (1, 1, 0, 1, 1)),
        ("cow's", "cow's", (1, 1, 0, 1, 1)),
        ("yes", " yes", (0, 0, 0, 1, 1)),
        ("yes", "YES!", (0, 0, 1, 1, 0)),
    ],
)
def test_gqa_cleaning(tmp_path: Path, answer: str, output: str, expected: tuple[int, ...]) -> None:
    write_gqa(tmp_path, {"1": gqa_question(answer)})
    examples = read("gqa", tmp_path)
    names = ("official", "llava", "prismatic", "lmms", "vlmevalkit")
    assert tuple(points("gqa", name, examples, output) / 100 for name in names) == expected


def test_gqa_counts_balanced_questions_and_gives_consistency_where_entailed_ones_are_there(tmp_path: Path) -> None:
    questions = {
        "1": gqa_question("no", entailed=["1", "2", "3"]),
        "2": gqa_question("yes", isBalanced=False),
        "3": gqa_question("left", isBalanced=False),
    }
    write_gqa(tmp_path, questions)
    result = scored("gqa", "official", read("gqa", tmp_path), ["no", "yes", "right"])
    assert (result.n, result.excluded) == (1, 2)
    assert result.metrics["accuracy"] == 100
    assert result.metrics["consistency"] == 50
    assert "validity" not in result.metrics
    assert "distribution" not in result.metrics


def test_gqa_distribution_and_choices(tmp_path: Path) -> None:
    groups = {"global": "color", "local": "x"}
    questions = {str(n): gqa_question(a, groups=groups) for n, a in enumerate(["red", "red", "blue"])}
    write_gqa(tmp_path, questions)
    choices = {number: {"valid": ["red", "blue"], "plausible": ["red"]} for number in questions}
    write_json(tmp_path / "testdev_choices.json", choices)
    metrics = scored("gqa", "official", read("gqa", tmp_path), ["red", "blue", "green"]).metrics
    # red: (1 - 2)^2 / 2, blue: (1 - 1)^2 / 1, weighted by 3 of 3 questions, / 100
    assert metrics["distribution"] == pytest.approx(0.5 / 100)
    assert metrics["validity"] == pytest.approx(200 / 3)
    assert metrics["plausibility"] == pytest.approx(100 / 3)
