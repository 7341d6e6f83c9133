"""VQAv2's protocols on the cases in which the original programs were seen to differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.official_files.vqav2 import ten_answers, write_vqav2
from tests.support.official_scores import points, read, scored


@pytest.mark.parametrize(
    ("references", "output", "expected"),
    [
        (["black"] * 10, "Black.", {"official": 0, "official_2016": 100, "prismatic": 100, "lmms": 100}),
        (["black"] * 10, " black\n", {"official": 100, "official_2016": 100}),
        (["the dog"] * 9 + ["cat"], "the dog", {"official": 100, "official_2016": 0, "prismatic": 0, "lmms": 100}),
        (["Yes"] * 9 + ["no"], "yes", {"official": 100, "official_2016": 0, "prismatic": 0, "vlmevalkit": 100}),
        (["two"] * 9 + ["3"], "two", {"official": 100, "official_2016": 0, "prismatic": 0, "lmms": 100}),
        (["none"] * 9 + ["2"], "0", {"official": 100}),
        (["two"] * 10, "two", {"official": 100, "official_2016": 0, "prismatic": 0}),
        (["2"] * 5 + ["2."] * 5, "2.", {"official": 100, "lmms": 100, "vlmevalkit": 100}),
        (["2"] * 9 + ["3"], "2.", {"official": 100, "vlmevalkit": 0}),
    ],
)
def test_vqav2_variants(tmp_path: Path, references: list[str], output: str, expected: dict[str, float]) -> None:
    write_vqav2(tmp_path, [ten_answers(*references)])
    examples = read("vqav2", tmp_path)
    assert {name: points("vqav2", name, examples, output) for name in expected} == pytest.approx(expected)


def test_vqav2_identical_entries_without_answer_ids_count_each(tmp_path: Path) -> None:
    write_vqav2(tmp_path, [[{"answer": "yes"}] * 10, [{"answer": "yes"}] * 5 + [{"answer": "no"}] * 5])
    assert points("vqav2", "official", read("vqav2", tmp_path), "yes", "yes") == 100


def test_vqav2_reports_answer_types_and_question_types(tmp_path: Path) -> None:
    write_vqav2(tmp_path)
    result = scored("vqav2", "official", read("vqav2", tmp_path), ["red", "no", "2"])
    assert result.metrics["accuracy/other"] == 100
    assert result.metrics["accuracy/yes/no"] == pytest.approx(100)
    assert result.metrics["accuracy/number"] == pytest.approx(60)
    assert set(result.by) == {"answer_type", "question_type"}


def test_vqav2_scoring_twice_gives_the_same(tmp_path: Path) -> None:
    write_vqav2(tmp_path, [ten_answers("The dog", "a dog", "cats")])
    examples = read("vqav2", tmp_path)
    assert [points("vqav2", "official", examples, "dog") for _ in range(2)] == pytest.approx([60, 60])
