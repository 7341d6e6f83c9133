"""Claims about the toy form of a study: tiny, local, and as varied as the study itself."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from search_spaces.expansion.expand import plan_study
from search_spaces.expansion.toy import TOY_TOWERS
from search_spaces.identity import source_name
from search_spaces.plan import Plan
from search_spaces.spec import TowerFamily
from search_spaces.study_files import load_study, shipped_studies

MANY = """\
study: many
base:
  vision: {backbone: clip-vit-l-336px}
  language: vicuna-v15-7b
  stages: [align, finetune]
  epochs: 1
  data: llava-v15
recipe: prismatic
axes:
  vision.resize: [letterbox, naive, crop]
  encoder:
    clip224: {vision.backbone: clip-vit-l}
    siglip: {vision.backbone: siglip-vit-so400m}
    lite0: {vision.backbone: efficientnet-lite0}
    lite16: {vision: {backbone: efficientnet-lite0, stride: 16}}
  language: [vicuna-v15-7b, llama2-7b-pure, llama2-13b-pure, mistral-v0.1-7b-pure, phi-2-3b]
  epochs: [1, 1.25, 2, 3]
  vision.weights: [pretrained, random]
  vision.tokens: [144, 64, 16, 4]
  recipe.finetune.schedule.warmup_steps: [50, 60]
  recipe.finetune.global_batch: [128, 256]
  stages: [[align, finetune], [finetune], [align, full-finetune]]
  data: [llava-v15, llava-multimodal]
benchmarks: prismatic-12
resources: {workers: 16, gpus_per_worker: 1, zero: 2, micro_batch: 4, stages: {align: {zero: 1}}}
"""


def _toy(name_or_path: str) -> Plan:
    return plan_study(load_study(name_or_path), toy=True)


def _many(folder: Path) -> str:
    path = folder / "many.yaml"
    path.write_text(MANY)
    return str(path)


@pytest.mark.parametrize("name", ["many", *shipped_studies()])
def test_toy_has_the_arms_of_the_study_and_all_of_them_differ(tmp_path: Path, name: str) -> None:
    study = _many(tmp_path) if name == "many" else name
    real, toy = plan_study(load_study(study)), _toy(study)
    assert toy.study == f"{real.study}-toy"
    assert [arm.name for arm in toy.arms] == [arm.name for arm in real.arms]
    assert [arm.difference for arm in toy.arms] == [arm.difference for arm in real.arms]
    assert len({arm.id for arm in toy.arms}) == len(toy.arms)
    assert not {trial.id for trial in toy.trials} & {trial.id for trial in real.trials}


def test_toy_needs_no_weights_and_no_files(tmp_path: Path) -> None:
    for node in _toy(_many(tmp_path)).nodes.values():
        assert all(name.startswith(("source:", "pictures:")) and '"records"' in name for name in node.missing)


def test_toy_is_small(tmp_path: Path) -> None:
    plan = _toy(_many(tmp_path))
    for trial in plan.trials:
        assert trial.spec.vision.arch in ("test_vit", "test_efficientnet")
        assert trial.spec.language.width == 32
        assert trial.spec.language.tokenizer.kind == "bytes"
        for stage in trial.spec.stages:
            assert 3 <= (stage.max_steps or 0) <= 6
            assert stage.global_batch % 16 == 0


def test_toy_keeps_order_and_sharing_of_resolutions_epochs_and_stages() -> None:
    plan = _toy("quickstart")
    specs = {trial.arm: trial.spec for trial in plan.trials}
    sides = [specs[arm].vision.resolution for arm in ("base", "resolution=32px", "resolution=16px")]
    assert sides == [64, 48, 32]
    assert [specs[arm].stages[-1].max_steps for arm in ("base", "epochs=2")] == [3, 4]
    assert specs["base"].stages[-1].global_batch == 8
    assert [specs[arm].vision.tokens for arm in ("base", "vision.tokens=1")] == [4, 1]


def test_toy_data_carry_the_tags_that_mixes_drop_and_benchmarks_select(tmp_path: Path) -> None:
    quick = _toy("quickstart")
    dropped = next(trial for trial in quick.trials if "no-negation" in trial.arm).spec.stages[0].data.parts[0]
    assert set(dropped.drop) <= set(dropped.source.tags)
    assert "text-only" not in str(dropped.source.options["tags"])
    assert all(toy.select in toy.source.tags and toy.source.reader == "generated" for toy in quick.benchmarks)
    assert [toy.id for toy in quick.benchmarks] == [real.id for real in plan_study(load_study("quickstart")).benchmarks]

    mixed = _toy(_many(tmp_path)).trials[0].spec.stages[1].data.parts[0].source
    assert str(mixed.options["tags"]).endswith(",text-only")
    assert mixed.text_only_records == 12
    assert mixed.records == sum(mixed.tags.values()) + mixed.text_only_records


def test_toy_train_and_test_data_differ() -> None:
    plan = _toy("quickstart")
    train = {source_name(part.source) for trial in plan.trials for s in trial.spec.stages for part in s.data.parts}
    assert not train & {source_name(benchmark.source) for benchmark in plan.benchmarks}


def test_every_family_of_encoders_has_a_toy() -> None:
    assert set(TOY_TOWERS) == set(get_args(TowerFamily))
