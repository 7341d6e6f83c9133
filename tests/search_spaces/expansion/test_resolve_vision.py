"""Claims about encoders and projectors in a study: pairs, any timm name, depths, and the keys that stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from search_spaces.catalogue.entries import EncoderEntry
from search_spaces.errors import InputError
from search_spaces.expansion.resolve_vision import NoEncoder
from search_spaces.spec import ProjectorSpec, VisionSpec
from tests.search_spaces.expansion.test_expand import GOLDEN
from tests.support.small_studies import BASE, plan_of

PAIRS = {
    "dinoclip-vit-l-336px": (336, 576, 2048, "clip_336"),
    "dinosiglip-vit-so-384px": (384, 729, 2176, "siglip_384"),
    "dinosiglip-vit-so-224px": (224, 256, 2176, "siglip_224"),
}


def _vision(folder: Path, choice: str, more: str = "", **options: Any) -> VisionSpec:
    return plan_of(folder, BASE.replace("{backbone: clip-vit-l-336px}", choice) + more, **options).trials[0].spec.vision


def _problem(folder: Path, text: str, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        plan_of(folder, text, **options)
    return caught.value


# ---------------------------------------------------------------- keys


# ---------------------------------------------------------------- pairs


@pytest.mark.parametrize("name", PAIRS)
def test_a_fused_preset_has_the_papers_tokens_width_and_parts(name: str, tmp_path: Path) -> None:
    resolution, tokens, width, arch_end = PAIRS[name]
    spec = _vision(tmp_path, name)
    assert (spec.resolution, spec.tokens, spec.width, spec.family) == (resolution, tokens, width, "fused")
    assert spec.parts[0].arch == "vit_large_patch14_reg4_dinov2"
    assert spec.parts[1].arch.replace("quickgelu_", "").endswith(arch_end)
    assert [part.interpolate for part in spec.parts] == [True, False]
    assert spec.parts[0].options == {"img_size": resolution}
    assert spec.parts[0].mean != spec.parts[1].mean
    assert len(spec.checkpoints) == 2


def test_every_checkpoint_of_a_pair_is_asked_for(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, BASE.replace("clip-vit-l-336px", "dinosiglip-vit-so-384px"), features="cache")
    for node in plan.nodes.values():
        if node.kind != "evaluation":
            weights = {name for name in node.missing if name.startswith("weights:hub:timm")}
            assert len(weights) == 2


def test_a_study_may_have_pairs_of_its_own(tmp_path: Path) -> None:
    own = """\
backbones:
  three: {parts: [clip-vit-l, siglip-vit-so400m, mine], resolution: 224}
  mine: {arch: a, family: vit, resolution: 224, patch: 14, width: 8, mean: [0, 0, 0], std: [1, 1, 1],
         checkpoint: path:a}
"""
    spec = _vision(tmp_path, "three", own)
    assert (spec.tokens, spec.width, len(spec.parts)) == (256, 1024 + 1152 + 8, 3)
    assert not spec.interpolate


def test_a_pair_of_random_weights_has_no_checkpoints(tmp_path: Path) -> None:
    spec = _vision(tmp_path, "{backbone: dinoclip-vit-l-336px, weights: random}")
    assert spec.checkpoints == ()
    assert not spec.interpolate


@pytest.mark.parametrize(
    ("more", "law"),
    [
        (
            "{x: {parts: [dinov2-vit-l, in1k-vit-l], resolution: 224}}",
            "one grid at 224 px, but have dinov2-vit-l 16 x 16",
        ),
        ("{x: {parts: [dinov2-vit-l, dinoclip-vit-l-336px], resolution: 336}}", "must be one tower"),
        ("{x: {parts: [dinov2-vit-l, clip-vit-k], resolution: 336}}", "but got 'clip-vit-k'"),
        ("{x: {parts: [dinov2-vit-l], resolution: 336}}", "parts"),
        ("{x: {parts: [dinov2-vit-l, clip-vit-l], resolution: 336, arch: a}}", "arch"),
    ],
)
def test_parts_that_cannot_be_joined_are_refused(more: str, law: str, tmp_path: Path) -> None:
    text = BASE.replace("clip-vit-l-336px", "x") + f"backbones: {more}\n"
    assert law in str(_problem(tmp_path, text))


def test_another_resolution_of_a_pair_must_be_asked_for(tmp_path: Path) -> None:
    text = BASE.replace("{backbone: clip-vit-l-336px}", "{backbone: dinoclip-vit-l-336px, resolution: 224}")
    error = _problem(tmp_path, text)
    assert "unless `vision.interpolate` is true" in error.law
    assert "dinosiglip-vit-so-224px" in str(error.way_out)
    spec = _vision(tmp_path, "{backbone: dinoclip-vit-l-336px, resolution: 224, interpolate: true}")
    assert (spec.tokens, [part.interpolate for part in spec.parts]) == (256, [True, True])


def test_pixels_that_no_patch_covers_are_noted_for_each_part(tmp_path: Path) -> None:
    notes = plan_of(tmp_path, BASE.replace("clip-vit-l-336px", "dinosiglip-vit-so-384px")).notes
    assert "dinov2-vit-l: 384 px = 27 x 14 + 6 unused" in notes
    assert "siglip-vit-so400m-384px: 384 px = 27 x 14 + 6 unused" in notes


def test_a_finetuned_encoder_has_no_cached_features_where_a_frozen_one_has(tmp_path: Path) -> None:
    text = BASE.replace("clip-vit-l-336px", "dinoclip-vit-l-336px") + "axes: {stages: [[full-finetune]]}\n"
    frozen, finetuned = plan_of(tmp_path, text, features="cache").trials
    assert any(node.startswith("features") for node in frozen.path)
    assert not any(node.startswith("features") for node in finetuned.path)


def test_toy_pairs_are_tiny_and_stay_apart(tmp_path: Path) -> None:
    text = BASE + "axes: {vision.backbone: [dinoclip-vit-l-336px, dinosiglip-vit-so-384px, mixed]}\n"
    text += """\
backbones:
  mixed: {parts: [in1k-vit-l, net], resolution: 224}
  net: {arch: n, family: conv, resolution: 224, strides: {16: 8}, mean: [0, 0, 0], std: [1, 1, 1], checkpoint: path:n}
"""
    plan = plan_of(tmp_path, text, toy=True)
    assert len({trial.id.rpartition("-")[2] for trial in plan.trials}) == 4
    for trial in plan.trials[1:]:
        spec = trial.spec.vision
        assert spec.checkpoints == ()
        assert {part.grid for part in spec.parts} == {spec.grid}
        assert spec.width == sum(part.width for part in spec.parts)
        assert spec.tokens == spec.grid**2


# ---------------------------------------------------------------- any timm name


def _refuse(name: str) -> EncoderEntry | NoEncoder:
    raise AssertionError(f"asked about {name!r}")


def _known(name: str) -> EncoderEntry | NoEncoder:
    entries = {
        "eva": EncoderEntry(
            arch="eva", family="vit", resolution=196, patch=14, width=8, mean=(0, 0, 0), std=(1, 1, 1),
            checkpoint="hub:timm/eva", interpolable=False,
        ),
        "net": EncoderEntry(
            arch="net", family="conv", resolution=224, strides={16: 8, 32: 16}, mean=(0, 0, 0), std=(1, 1, 1),
            checkpoint="hub:timm/net", multiple_of=32,
        ),
    }  # fmt: skip
    return entries.get(name) or NoEncoder(f"must be known, but got {name!r}", ("resnet50", "resnet18"))


def test_names_of_the_catalogue_ask_nobody(tmp_path: Path) -> None:
    plan_of(tmp_path, GOLDEN, probe=_refuse)
    _vision(tmp_path, "dinosiglip-vit-so-384px", probe=_refuse)


def test_another_name_is_asked_of_the_probe_also_as_a_part(tmp_path: Path) -> None:
    spec = _vision(tmp_path, "eva", probe=_known)
    assert (spec.arch, spec.checkpoint, spec.tokens, spec.width) == ("eva", "hub:timm/eva", 196, 8)
    more = "backbones: {two: {parts: [clip-vit-l, eva], resolution: 196}}\n"
    fused = _vision(tmp_path, "{backbone: two, interpolate: true}", more, probe=_known)
    assert (fused.tokens, fused.width) == (196, 1032)


@pytest.mark.parametrize(
    ("choice", "law", "way_out"),
    [
        ("resnet5", "must be known, but got 'resnet5'", "'resnet50'"),
        ("clip-vit-m", "must be known, but got 'clip-vit-m'", "'clip-vit-l'"),
        ("{backbone: eva, resolution: 224, interpolate: true}", "must be 196 px for eva", "None"),
        ("{backbone: net, resolution: 230}", "must be a multiple of 32 px for net", "nearest is 224"),
        ("{backbone: net, stride: 8}", "must be one of 16, 32 for net", "nearest is 16"),
    ],
)
def test_what_the_probe_does_not_allow_is_refused(choice: str, law: str, way_out: str, tmp_path: Path) -> None:
    error = _problem(tmp_path, BASE.replace("{backbone: clip-vit-l-336px}", choice), probe=_known)
    assert law in error.law
    assert way_out in str(error.way_out)
    assert str(error.place).endswith("study.yaml:3")


# ---------------------------------------------------------------- projectors


def _projectors(folder: Path, projector: str, axes: str = "") -> list[ProjectorSpec]:
    plan = plan_of(folder, BASE.replace("projector: gelu-mlp", f"projector: {projector}") + axes)
    return [trial.spec.projector for trial in plan.trials]


@pytest.mark.parametrize(
    ("projector", "spec"),
    [
        ("gelu-mlp", {"kind": "gelu-mlp"}),
        ("{kind: gelu-mlp, depth: 2}", {"kind": "gelu-mlp"}),
        ("{depth: 3}", {"kind": "gelu-mlp", "depth": 3}),
        ("{kind: fused-gelu-mlp, depth: 3}", {"kind": "fused-gelu-mlp"}),
        ("{kind: fused-gelu-mlp, depth: 2}", {"kind": "fused-gelu-mlp", "depth": 2}),
        ("{kind: linear, depth: 1}", {"kind": "linear"}),
    ],
)
def test_a_default_depth_is_the_short_forms(projector: str, spec: dict[str, Any], tmp_path: Path) -> None:
    assert _projectors(tmp_path, projector) == [ProjectorSpec.model_validate(spec)]


@pytest.mark.parametrize(
    ("projector", "law"),
    [
        ("{kind: linear, depth: 2}", "must be exactly 1 for linear, but got 2"),
        ("{kind: gelu-mlp, depth: 1}", "must be at least 2 for gelu-mlp, but got 1"),
        ("{kind: fused-gelu-mlp, depth: 1}", "must be at least 2 for fused-gelu-mlp, but got 1"),
        ("{kind: gelu, depth: 2}", "must be one of linear, gelu-mlp"),
        ("{kind: gelu-mlp, depth: 0}", "greater than or equal to 1"),
    ],
)
def test_an_illegal_depth_is_refused_with_the_law(projector: str, law: str, tmp_path: Path) -> None:
    assert law in str(_problem(tmp_path, BASE.replace("projector: gelu-mlp", f"projector: {projector}")))


def test_kind_and_depth_are_axes_and_may_vary_together(tmp_path: Path) -> None:
    axes = "axes: {projector.depth: [2, 3], projector.kind: [gelu-mlp, linear]}\n"
    plan = plan_of(tmp_path, BASE + axes)
    assert [arm.name for arm in plan.arms] == ["base", "projector.depth=3", "projector.kind=linear"]
    axes = "axes: {projector: [gelu-mlp, linear, {kind: gelu-mlp, depth: 4}]}\n"
    plan = plan_of(tmp_path, BASE + axes)
    assert [trial.spec.projector.layers for trial in plan.trials] == [2, 1, 4]
    assert [arm.values["projector"] for arm in plan.arms][:2] == ["gelu-mlp", "linear"]


def test_a_fused_encoder_may_have_the_shallow_projector_so_that_fusion_can_be_told_from_depth(tmp_path: Path) -> None:
    axes = "axes: {projector: [fused-gelu-mlp, {kind: fused-gelu-mlp, depth: 2}]}\n"
    plan = plan_of(tmp_path, BASE.replace("clip-vit-l-336px", "dinosiglip-vit-so-384px") + axes)
    assert [trial.spec.projector.layers for trial in plan.trials] == [2, 3, 2]


# ---------------------------------------------------------------- learning rates of modules


def test_the_encoders_learning_rate_is_an_axis(tmp_path: Path) -> None:
    text = BASE.replace("[finetune]", "[full-finetune]")
    axes = "axes: {recipe.full-finetune.optimizer.lr_scale.vision: [1, 0.1, 0.01]}\n"
    plan = plan_of(tmp_path, text + axes)
    assert [trial.spec.stages[0].optimizer.lr_scale for trial in plan.trials] == [{}, {"vision": 0.1}, {"vision": 0.01}]
    axes = (
        "axes: {recipe.full-finetune.optimizer.lr_scale: {slow: {vision: 0.1}, both: {vision: 0.1, projector: 10}}}\n"
    )
    plan = plan_of(tmp_path, text + axes)
    assert [trial.spec.stages[0].optimizer.lr_scale for trial in plan.trials] == [
        {},
        {"vision": 0.1},
        {"vision": 0.1, "projector": 10},
    ]


def test_a_factor_may_be_part_of_a_studys_recipe(tmp_path: Path) -> None:
    text = BASE.replace("[finetune]", "[full-finetune]").replace(
        "recipe: prismatic", "recipe: {extends: prismatic, full-finetune: {optimizer: {lr_scale: {vision: 0.1}}}}"
    )
    assert plan_of(tmp_path, text).trials[0].spec.stages[0].optimizer.lr_scale == {"vision": 0.1}
    assert "lr_scale" in str(_problem(tmp_path, text.replace("vision: 0.1", "visoin: 0.1")))
    assert "lr_scale" in str(_problem(tmp_path, text.replace("vision: 0.1", "vision: -1")))


def test_pixels_that_no_patch_covers_are_noted(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, BASE.replace("336px}", "336px, resolution: 384, interpolate: true}"))
    assert "clip-vit-l-336px: 384 px = 27 x 14 + 6 unused" in plan.notes
    assert plan.trials[0].spec.vision.tokens == 27 * 27


@pytest.mark.parametrize("resolution", [16, 32, 48, 64, 100])
def test_convolutional_encoder_takes_any_size(tmp_path: Path, resolution: int) -> None:
    text = BASE.replace("{backbone: clip-vit-l-336px}", f"{{backbone: efficientnet-lite0, resolution: {resolution}}}")
    vision = plan_of(tmp_path, text).trials[0].spec.vision
    assert vision.tokens == (-(-resolution // 32)) ** 2


def test_preset_with_another_resolution_than_its_checkpoint_interpolates(tmp_path: Path) -> None:
    vision = plan_of(tmp_path, BASE.replace("clip-vit-l-336px", "dinov2-vit-l")).trials[0].spec.vision
    assert (vision.resolution, vision.interpolate, vision.options) == (224, True, {"img_size": 224})
