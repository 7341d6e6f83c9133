"""VizWiz's protocols on the cases in which the original programs were seen to differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.official_files.vizwiz import write_vizwiz
from tests.support.official_scores import points, read, scored


@pytest.mark.parametrize(
    ("references", "output", "expected"),
    [
        (["Coke", "Coke", *["x"] * 8], "Coke", {"official": 0, "prismatic": 0, "lmms": 60, "vlmevalkit": 60}),
        (["didn't"] * 10, "didnt", {"official": 0, "prismatic": 0, "lmms": 100}),
        (["didn\u2019t"] * 10, "didnt", {"official": 100, "prismatic": 0}),
        (["didn`t"] * 10, "didnt", {"official": 0, "prismatic": 100}),
        (["basil"] * 10, "The basil.", {"official": 100, "prismatic": 100}),
    ],
)
def test_vizwiz_references_are_raw(
    tmp_path: Path, references: list[str], output: str, expected: dict[str, float]
) -> None:
    write_vizwiz(tmp_path, [references])
    examples = read("vizwiz", tmp_path)
    assert {name: points("vizwiz", name, examples, output) for name in expected} == pytest.approx(expected)


def test_vizwiz_answerability_takes_only_the_exact_word(tmp_path: Path) -> None:
    texts = [["unanswerable"] * 10, ["unanswerable"] * 10, ["basil"] * 10, ["basil"] * 10]
    write_vizwiz(tmp_path, texts)
    outputs = ["Unanswerable.", "it is unanswerable", "unanswerable", "basil"]
    metrics = scored("vizwiz", "prismatic", read("vizwiz", tmp_path), outputs).metrics
    assert metrics["unanswerable_f1"] == pytest.approx(50)
    assert metrics["unanswerable_average_precision"] == pytest.approx(50)  # P(1/2) x R(1/2) + P(2/4) x the rest
    assert metrics["accuracy/unanswerable"] == pytest.approx(50)
