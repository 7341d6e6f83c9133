"""TallyQA's protocols on the cases in which the original programs were seen to differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.official_files.tallyqa import write_tallyqa
from tests.support.official_scores import points, read, scored
from trainables.benchmarks.registry import BENCHMARKS


def test_tallyqa_official_splits_by_source_and_drops_the_rest(tmp_path: Path) -> None:
    write_tallyqa(tmp_path)
    result = scored("tallyqa", "official", read("tallyqa", tmp_path), ["4", "3", "3", "14"])
    assert (result.n, result.excluded) == (3, 1)
    assert result.metrics["accuracy/simple"] == 0
    assert result.metrics["accuracy/complex"] == 50
    assert result.metrics["rmse/simple"] == 1
    assert result.metrics["rmse/complex"] == pytest.approx((4 / 2) ** 0.5)


@pytest.mark.parametrize(
    ("output", "count"), [("4", 4), ("many", 0), ("", 0), ("four", 0), ("2.7", 3), ("2.5", 2), ("\u00b2", 0)]
)
def test_tallyqa_official_counts(output: str, count: int, tmp_path: Path) -> None:
    write_tallyqa(tmp_path, [(count, "amt", True)])
    assert points("tallyqa", "official", read("tallyqa", tmp_path), output) == 100


@pytest.mark.parametrize(
    ("output", "count"),
    [
        ("4", 4),
        ("There are two dogs", 2),
        ("none", None),
        ("21", None),
        ("3rd", None),
        ("03", None),
        ("-3", 3),
        ("1,000", 1),
        ("twenty one", 20),
        ("3.7", 3),
        ("TEN", 10),
    ],
)
def test_tallyqa_vlmevalkit_counts(output: str, count: int | None, tmp_path: Path) -> None:
    write_tallyqa(tmp_path, [(3 if count is None else count, "amt", True)])
    result = scored("tallyqa", "vlmevalkit", read("tallyqa", tmp_path), [output])
    assert (result.metrics["accuracy"], result.unparsable) == ((0, 1) if count is None else (100, 0))


def test_tallyqa_prismatic_cannot_count_beyond_15(tmp_path: Path) -> None:
    write_tallyqa(tmp_path, [(15, "amt", True), (16, "amt", False)])
    examples = read("tallyqa", tmp_path)
    protocol = BENCHMARKS["tallyqa"].protocols["prismatic"]
    assert protocol.options(examples[0]) == tuple("ABCDEFGHIJKLMNOP")
    assert protocol.prompt(examples[0]).split("\n")[1:17:15] == ["A. 0", "P. 15"]
    result = scored("tallyqa", "prismatic", examples, ["P", "P"])
    assert result.metrics == {"accuracy": 50, "accuracy/complex": 0, "accuracy/simple": 100}
