"""Suggestions that would not lead out of an error are not made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.small_studies import problems_of

BASE = """\
study: test
base:
  vision: {backbone: efficientnet-lite0, resolution: 64, resize: naive}
  language: llama-2x96
  stages: [finetune]
  epochs: 1
  data: easy-vqa-1500
recipe: quickstart
benchmarks: easy-vqa
"""


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("axes: {lr: [1e-3, 1e-4]}\n", "Did you mean 'recipe.finetune.optimizer.lr'?"),
        ("axes: {recipe.align.optimizer.lr: [1e-3, 1e-4]}\n", "Did you mean 'recipe.finetune.optimizer.lr'?"),
        ("axes: {vision.resize: [crop, corp]}\n", None),
        ("axes: {vision.resize: [crop, lettrbox]}\n", "Did you mean 'letterbox'?"),
        ("axes: {vision.token: [4, 1]}\n", "Did you mean 'vision.tokens'?"),
        ("axes: {vision.tokens: [4, 1], token: [4, 1]}\n", None),
        ("seeds: {bse: [7], default: [8]}\n", "Did you mean 'base'?"),
        ("resource: {workers: 1}\n", "Did you mean 'resources'?"),
        ("desing: grid\n", "Did you mean 'design'?"),
    ],
)
def test_only_what_is_legal_in_this_study_is_suggested(tmp_path: Path, text: str, way_out: str | None) -> None:
    problems = problems_of(tmp_path, BASE + text)
    assert problems[0].way_out == way_out


def test_a_misspelt_map_beside_the_right_one_is_suggested_to_go_into_it(tmp_path: Path) -> None:
    text = BASE.replace("  language:", "  vison: {tokens: 4}\n  language:")
    assert problems_of(tmp_path, text)[0].way_out == "Did you mean 'vision'?"
