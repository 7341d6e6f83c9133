"""AI2D's protocols on the cases in which the original programs were seen to differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.official_files.ai2d import write_ai2d
from tests.support.official_scores import points, read, scored


@pytest.mark.parametrize(
    ("output", "lmms", "kit"),
    [
        ("C", 1, 1),
        ("c", 1, 0),
        ("(C)", 1, 1),
        ("**C**", 1, 1),
        ("C. krill", 1, 1),
        ("Answer: C", 0, 1),
        ("The answer is C.", 0, 1),
        ("krill", 0, 1),
        ("C?", 1, 0),
        ("C-", 1, 0),
        ("The correct answer is **C** as all the whales around there eat it", 0, 1),
    ],
)
def test_ai2d_letters(output: str, lmms: int, kit: int, tmp_path: Path) -> None:
    write_ai2d(tmp_path, ("fox", "cow", "krill", "hawk"), 2)
    examples = read("ai2d", tmp_path)
    assert points("ai2d", "lmms", examples, output, output) == 100 * lmms
    assert points("ai2d", "vlmevalkit", examples, output, output) == 100 * kit


def test_ai2d_vlmevalkit_pitfalls(tmp_path: Path) -> None:
    write_ai2d(tmp_path, ("x", "xx", "yy", "zz"), 1)
    assert points("ai2d", "vlmevalkit", read("ai2d", tmp_path), "xx", "xx") == 0
    write_ai2d(tmp_path, ("fox", "whale", "krill", "a very long text"), 1)
    examples = read("ai2d", tmp_path)
    sentence = "C, because A whale is big"
    assert points("ai2d", "vlmevalkit", examples, sentence, sentence) == 100  # it takes B for the answer


def test_ai2d_splits_by_test_ids_and_pools(tmp_path: Path) -> None:
    write_ai2d(tmp_path)
    examples = read("ai2d", tmp_path)
    assert [(example.id, example.groups["split"]) for example in examples] == [("7.png-0", "test"), ("12.png-0", "val")]
    assert scored("ai2d", "prismatic", examples, ["C", "A"]).metrics == {
        "accuracy": 50,
        "accuracy/test": 100,
        "accuracy/val": 0,
    }
    assert [example.id for example in read("ai2d", tmp_path, "val")] == ["12.png-0"]
