"""Axes in another form are refused, and shown in this program's own with the values that they have."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.small_studies import BASE, problems_of


@pytest.mark.parametrize(
    ("axes", "way_out"),
    [
        ("vision: {tokens: [144, 576], resize: [naive, crop]}",
         "Write `vision.tokens: [144, 576]` and `vision.resize: [naive, crop]`."),
        ("recipe: {finetune: {optimizer: {lr: [1e-3, 1e-4]}}}", "Write `recipe.finetune.optimizer.lr: [1e-3, 1e-4]`."),
        ("recipe.finetune.optimizer: {lr: [1e-3, 1e-4]}", "Write `recipe.finetune.optimizer.lr: [1e-3, 1e-4]`."),
        ("base: {vision.tokens: [144, 576]}", "Write `vision.tokens: [144, 576]`."),
        ("base: {stages: [align, finetune]}", "Write `stages: [[align, finetune]]`."),
        ("projector: {kind: linear}", "Write `projector.kind: [linear]`."),
        ("vision: {tokens: {few: 144, many: 576}}", "Write `vision.tokens: {few: 144, many: 576}`."),
        ("vision: {tokens: {values: [144, 576]}}", "Write `vision.tokens: [144, 576]`."),
        ("params: {vision.tokens: [144, 576]}", "Write `vision.tokens: [144, 576]`."),
        ("epochs: 2", "Write `epochs: [2]`."),
        ("epochs: {min: 1, max: 3}",
         "Write `epochs: [1, 3]`. If min and max are labels of two values, call them otherwise."),
        ("tokens: {values: [144, 576]}", "Write `vision.tokens: [144, 576]`."),
    ],
)  # fmt: skip
def test_axes_in_another_form_are_shown_in_this_programs_own(tmp_path: Path, axes: str, way_out: str) -> None:
    (problem,) = problems_of(tmp_path, f"{BASE}axes: {{{axes}}}\n")
    assert problem.way_out == way_out
    assert problem.place == f"{tmp_path / 'study.yaml'}:10"


def test_a_range_is_refused_as_what_it_is(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, f"{BASE}axes: {{epochs: {{min: 1, max: 3}}}}\n")
    assert problem.law == "an axis lists its values; ranges are not searched, but got {min: 1, max: 3}"
