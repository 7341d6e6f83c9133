"""Claims about sizes: every model of the catalogue, built on the meta device, has the parameters that were computed."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import timm
import torch

from search_spaces.catalogue.entries import EncoderEntry
from search_spaces.catalogue.load import shipped
from search_spaces.expansion.expand import plan_study
from search_spaces.sizes import (
    EncoderSize,
    LanguageShape,
    SizedFamily,
    language_parameters,
    layer_parameters,
)
from search_spaces.study_files import load_study
from tests.support.meta_languages import language_on_meta
from trainables.model.vision import FusedEncoder

CATALOGUE = shipped()


@pytest.mark.parametrize(
    "name", [name for name, entry in CATALOGUE.encoders.items() if isinstance(entry, EncoderEntry)]
)
def test_every_encoder_has_the_parameters_that_its_shape_says(name: str) -> None:
    entry = CATALOGUE.encoders[name]
    assert isinstance(entry, EncoderEntry)
    resized = entry.family == "vit" and entry.native not in (None, entry.resolution)
    options: dict[str, Any] = {**entry.options, **({"img_size": entry.resolution} if resized else {})}
    with torch.device("meta"):
        tower = timm.create_model(entry.arch, pretrained=False, num_classes=0, **options)
    assert entry.shape is not None
    grid = entry.resolution // (entry.patch or 32)
    size = EncoderSize(entry.shape, entry.patch or 32, entry.width or max(entry.strides.values()), grid)
    assert size.parameters == sum(parameter.numel() for parameter in tower.parameters())


@pytest.mark.parametrize("name", CATALOGUE.languages)
def test_every_language_model_has_the_parameters_that_its_shape_says(name: str) -> None:
    entry = CATALOGUE.languages[name]
    shape = entry.shape
    assert shape is not None
    model = language_on_meta(entry.family, entry.width, shape)
    assert language_parameters(entry.family, entry.width, shape) == sum(p.numel() for p in model.parameters())
    layer = sum(parameter.numel() for parameter in model.base_model.layers[0].parameters())
    assert layer_parameters(entry.family, entry.width, shape) == layer


def test_every_family_that_is_sized_is_in_the_catalogue() -> None:
    assert set(get_args(SizedFamily)) <= {entry.family for entry in CATALOGUE.languages.values()}


def test_llama_2_has_its_published_parameters_and_prismatics_padding_comes_on_top() -> None:
    shape = LanguageShape(layers=32, heads=32, kv_heads=32, mlp=11008, vocabulary=32000)
    assert language_parameters("llama", 4096, shape) == 6_738_415_616
    padded = shape.model_copy(update={"padded": True})
    assert padded.rows == 32_064
    assert language_parameters("llama", 4096, padded) == 6_738_415_616 + 2 * 64 * 4096


OWN = """\
study: own
base: {vision: mine, language: vicuna-v15-7b, stages: [finetune], epochs: 1, data: llava-v15}
recipe: prismatic
backbones:
  mine: {arch: vit_tiny, family: vit, resolution: 224, patch: 16, width: 192, mean: [0, 0, 0], std: [1, 1, 1],
         checkpoint: "path:x"}
"""


def test_a_model_without_facts_has_no_size_and_no_guess(tmp_path: Any) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    assert plan_study(load_study(str(tmp_path / "own.yaml"))).arms[0].size is None


def test_facts_are_those_of_the_entry_not_of_its_name() -> None:
    assert plan_study(load_study("quickstart")).arms[0].size is not None
    assert plan_study(load_study("quickstart"), toy=True).arms[0].size is None


FUSED = """\
study: fused
base: {vision: dinosiglip-vit-so-384px, projector: fused-gelu-mlp, language: vicuna-v15-7b, stages: [full-finetune],
       epochs: 1, data: llava-v15}
recipe: prismatic
"""


def test_a_fused_encoder_is_the_sum_of_its_towers(tmp_path: Any) -> None:
    (tmp_path / "fused.yaml").write_text(FUSED)
    plan = plan_study(load_study(str(tmp_path / "fused.yaml")))
    size = plan.arms[0].size
    assert size is not None
    assert (size.feature_width, size.image_tokens) == (2176, 729)
    tower = plan.trials[0].spec.vision
    with torch.device("meta"):
        built = FusedEncoder(tower)
    assert size.parameters["vision"] == sum(parameter.numel() for parameter in built.parameters())
    unused = built.unused_parameters()
    used = sum(parameter.numel() for name, parameter in built.named_parameters() if name not in unused)
    assert used == sum(encoder.used for encoder in size.encoders)
