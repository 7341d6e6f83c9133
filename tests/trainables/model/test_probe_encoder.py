"""A model that timm describes has the tokens, width and normalisation of what is built."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch

from search_spaces.catalogue.entries import EncoderEntry
from search_spaces.errors import InputError
from search_spaces.expansion.expand import plan_study
from search_spaces.expansion.resolve_vision import NoEncoder
from search_spaces.spec import VisionSpec
from search_spaces.study_files import load_study
from tests.support.small_studies import ENCODER_STUDY
from trainables.model.probe_encoder import probe
from trainables.model.vision import Tower


def _found(name: str) -> EncoderEntry | NoEncoder:
    """The probe without its process."""
    answer = probe(name)
    if "entry" in answer:
        return EncoderEntry.model_validate(answer["entry"])
    return NoEncoder(answer["law"], tuple(answer["near"]))


def _vision(folder: Path, name: str, more: str = "") -> VisionSpec:
    (folder / "study.yaml").write_text(ENCODER_STUDY.format(name=name, more=more))
    return plan_study(load_study(str(folder / "study.yaml")), probe=_found).trials[0].spec.vision


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("vit_small_patch16_224.augreg_in21k_ft_in1k", ""),
        ("vit_small_patch16_224.augreg_in21k_ft_in1k", "resolution: 160"),
        ("vit_base_patch16_clip_quickgelu_224.openai", ""),
        ("vit_small_patch14_reg4_dinov2.lvd142m", "resolution: 224"),
        ("deit_tiny_distilled_patch16_224", ""),
        ("eva02_tiny_patch14_224.mim_in22k", ""),
        ("vit_small_patch16_dinov3.lvd1689m", "resolution: 128"),
        ("beit_base_patch16_224", ""),
        ("resnet18.a1_in1k", ""),
        ("resnet18.a1_in1k", "resolution: 201, stride: 16"),
        ("convnext_tiny.fb_in22k", "resolution: 192"),
        ("convnext_tiny.fb_in22k", "stride: 8"),
        ("tf_efficientnet_b0", "resolution: 100"),
        ("mobilenetv3_large_100", ""),
    ],
)
def test_a_probed_model_gives_the_tokens_and_width_of_its_facts(name: str, more: str, tmp_path: Path) -> None:
    spec = _vision(tmp_path, name, more)
    with torch.device("meta"):
        features_BPC = Tower(spec)(torch.zeros(1, 3, spec.resolution, spec.resolution))
    assert features_BPC.shape == (1, spec.tokens, spec.width)


@pytest.mark.parametrize("name", ["vit_base_patch16_224.dino", "resnet50.a1_in1k", "vit_large_patch14_clip_336.openai"])
def test_normalisation_and_checkpoint_are_those_of_the_tag(name: str) -> None:
    entry, published = _found(name), timm.models.get_pretrained_cfg(name)
    assert isinstance(entry, EncoderEntry)
    assert published is not None
    assert (entry.mean, entry.std) == (published.mean, published.std)
    assert entry.checkpoint == f"hub:timm/{name}"
    assert entry.resolution == published.input_size[-1]


@pytest.mark.parametrize(
    ("name", "law", "near"),
    [
        ("resnet5O", "a timm model, but got 'resnet5O'", "resnet50"),
        ("resnet50.a1_in2k", "one of timm's checkpoints of resnet50", "resnet50.a1_in1k"),
        ("swin_tiny_patch4_window7_224", "one square map of features, but 'swin_tiny", None),
        ("hiera_tiny_224", "one square map of features", None),
        ("maxvit_tiny_tf_224", "takes images of 224 px only", None),
    ],
)
def test_what_cannot_be_an_encoder_is_refused_with_the_reason(
    name: str, law: str, near: str | None, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        _vision(tmp_path, name)
    assert law in caught.value.law
    assert near is None or near in str(caught.value.way_out)


@pytest.mark.parametrize(("name", "fits"), [("vit_tiny_patch16_224", True), ("beit_base_patch16_224", False)])
def test_models_with_other_tables_than_positions_are_known_not_to_interpolate(name: str, fits: bool) -> None:
    entry = _found(name)
    assert isinstance(entry, EncoderEntry)
    assert entry.interpolable == fits
