"""Forms of other tools' files are refused with what to write instead, in the user's own values."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.errors import InputError
from search_spaces.study_files import load_study

BASE = """\
study: test
base: {vision: efficientnet-lite0, language: llama-2x96, stages: [finetune], data: easy-vqa-1500}
recipe: quickstart
"""


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("parameters: {lr: {values: [1e-3, 1e-4]}}", "Write `axes: {recipe.finetune.optimizer.lr: [1e-3, 1e-4]}`."),
        ("hydra: {sweeper: {params: {resize: 'choice(crop,naive)'}}}", "Write `axes: {vision.resize: [crop, naive]}`."),
        ("matrix: {tokens: [4, 1]}", "Write `axes: {vision.tokens: [4, 1]}`."),
        ("defaults: [a]", "Leave it out."),
        ("axes: [{vision.tokens: [4, 1]}]", "Write `axes: {vision.tokens: [4, 1]}`."),
        ("axes: [{name: tokens, values: [4, 1]}]", "Write `axes: {vision.tokens: [4, 1]}`."),
        ("arms: [{name: a, vision.tokens: 1}]", "Write `arms: {a: {vision.tokens: 1}}`."),
        ("seeds: 7", "Write `seeds: [7]`."),
        ("seeds: range(3)", "Write `seeds: [0, 1, 2]`."),
        ("seeds: {count: 3}", "Write `seeds: [0, 1, 2]`."),
        ("seeds: 7-9", "Write `seeds: [7, 8, 9]`."),
        ("seed: 7", "Write `seeds: [7]`."),
        ("seeds: ['7']", "Write `7`."),
        ("axes: {vision.tokens: ['${tokens}', 1]}", "Write the value itself, or give it with --set."),
        ("resources: {workers: 1_000}", "Write `1000`."),
        ("seed_sd: '1e-1'", "Write `1e-1`."),
        ("seed_sd: 50%", "Write `0.5`."),
        ("sources: {s: {reader: llava, version: 1.10}}", "Write `'1.10'`."),
        ("benchmarks: [{id: easy-vqa, answers: [1e3, two]}]", "Write `'1e3'`."),
    ],
)  # fmt: skip
def test_other_forms_are_shown_as_they_are_written_here(tmp_path: Path, text: str, way_out: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(BASE + text + "\n")
    with pytest.raises(InputError) as caught:
        load_study(str(path))
    assert caught.value.way_out == way_out
    assert caught.value.place == f"{path}:4"


def test_templates_in_texts_for_people_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(BASE + "question: 'What is ${x}?'\n")
    assert load_study(str(path)).question == "What is ${x}?"
