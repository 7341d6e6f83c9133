"""Claims about encoders: which features they give, and that their weights are those of the file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from search_spaces.catalogue.entries import EncoderEntry, FusedEntry
from search_spaces.catalogue.load import shipped
from search_spaces.errors import InputError
from search_spaces.spec import VisionSpec
from tests.support.hub_checkpoints import FAMILIES, PAIRS, SIDE, TINY, encoder_spec
from tests.support.tiny_specs import vision
from trainables.model.vision import FusedEncoder, Tower, build_vision, check_encoder

TOWERS = [name for name, entry in shipped().encoders.items() if isinstance(entry, EncoderEntry)]


def _images(spec: VisionSpec, count: int = 2) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(count, 3 * len(spec.towers), spec.resolution, spec.resolution)


def _quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"clip": _quick_gelu}
EPSILONS = {"clip": 1e-5}


def _second_to_last(weights: dict[str, Tensor], image_BCHW: Tensor, name: str) -> Tensor:
    """The encoder written out, from nothing but the tensors of its file and the definition of a vision transformer."""
    eps, activation, heads = EPSILONS.get(name, 1e-6), ACTIVATIONS.get(name, F.gelu), TINY["num_heads"]

    def norm(x: Tensor, layer: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], weights[f"{layer}.weight"], weights[f"{layer}.bias"], eps)

    def linear(x: Tensor, layer: str) -> Tensor:
        return F.linear(x, weights[f"{layer}.weight"], weights.get(f"{layer}.bias"))

    def attention(x: Tensor, block: str) -> Tensor:
        q, k, v = linear(x, f"{block}.attn.qkv").chunk(3, dim=-1)
        q, k, v = (values.unflatten(-1, (heads, -1)).transpose(1, 2) for values in (q, k, v))
        mixed = torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, dim=-1) @ v
        return linear(mixed.transpose(1, 2).flatten(2), f"{block}.attn.proj")

    def scale(x: Tensor, layer: str) -> Tensor:
        return x * weights[f"{layer}.gamma"] if f"{layer}.gamma" in weights else x

    patch = FAMILIES[name].patch
    projection = weights["patch_embed.proj.weight"], weights.get("patch_embed.proj.bias")
    x = F.conv2d(image_BCHW, *projection, stride=patch).flatten(2).mT
    prefix = [weights[token] for token in ("cls_token", "reg_token") if token in weights]
    prefix = [token.expand(len(x), -1, -1) for token in prefix]
    extra = sum(token.shape[1] for token in prefix)
    if weights["pos_embed"].shape[1] == x.shape[1]:
        x = torch.cat([*prefix, x + weights["pos_embed"]], dim=1)
    else:
        x = torch.cat([*prefix, x], dim=1) + weights["pos_embed"]
    if "norm_pre.weight" in weights:
        x = norm(x, "norm_pre")
    for number in range(TINY["depth"] - 1):
        block = f"blocks.{number}"
        x = x + scale(attention(norm(x, f"{block}.norm1"), block), f"{block}.ls1")
        hidden = activation(linear(norm(x, f"{block}.norm2"), f"{block}.mlp.fc1"))
        x = x + scale(linear(hidden, f"{block}.mlp.fc2"), f"{block}.ls2")
    return x[:, extra:]


@pytest.mark.parametrize("name", FAMILIES)
def test_features_are_the_second_to_last_blocks_patches_without_norm(name: str, tmp_path: Path) -> None:
    spec = encoder_spec(name, tmp_path, resolution=FAMILIES[name].native)
    encoder, image_BCHW = build_vision(spec, 7, tmp_path), _images(spec)
    weights = load_file(tmp_path / "hub" / "timm" / name / "model.safetensors")
    with torch.inference_mode():
        features_BPC = encoder(image_BCHW)
        expected_BPC = _second_to_last(weights, image_BCHW, name)
    assert features_BPC.shape == (2, spec.tokens, spec.width)
    torch.testing.assert_close(features_BPC, expected_BPC, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", PAIRS)
def test_a_fused_encoder_joins_what_its_parts_give_alone(name: str, tmp_path: Path) -> None:
    spec = encoder_spec(name, tmp_path)
    image_BCHW = _images(spec)
    with torch.inference_mode():
        features_BPC = build_vision(spec, 7, tmp_path)(image_BCHW)
        alone = [
            build_vision(part, 7, tmp_path)(image_BCHW[:, 3 * number : 3 * number + 3])
            for number, part in enumerate(spec.parts)
        ]
    assert features_BPC.shape == (2, 16, 2 * TINY["embed_dim"])
    assert torch.equal(features_BPC, torch.cat(alone, dim=2))


def test_random_parts_of_one_architecture_differ() -> None:
    part = vision(arch="test_vit", family="vit", patch=16, width=64, tokens=16, options={"img_size": 64})
    spec = part.model_copy(update={"family": "fused", "width": 128, "parts": (part, part)})
    encoder = build_vision(spec, 7, Path())
    assert isinstance(encoder, FusedEncoder)
    first, second = (tower.tower.pos_embed for tower in encoder.towers())
    assert isinstance(first, Tensor)
    assert isinstance(second, Tensor)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("grid", [3, 5, 7])
def test_interpolated_positions_are_those_of_timms_own_loading(name: str, grid: int, tmp_path: Path) -> None:
    family = FAMILIES[name]
    side = grid * family.patch
    spec = encoder_spec(name, tmp_path, resolution=side)
    ours = build_vision(spec, 7, tmp_path)
    theirs = timm.create_model(
        family.arch,
        pretrained=True,
        pretrained_cfg_overlay={"file": str(tmp_path / "hub" / "timm" / name / "model.safetensors")},
        num_classes=0,
        img_size=side,
        **TINY,
    )
    assert isinstance(ours, Tower)
    for key, tensor in theirs.state_dict().items():
        assert torch.equal(ours.tower.state_dict()[key], tensor), key


def test_random_weights_take_any_resolution(tmp_path: Path) -> None:
    spec = encoder_spec("dinov2", tmp_path, resolution=42, weights="random", checkpoint=None, interpolate=False)
    assert build_vision(spec, 7, tmp_path)(_images(spec)).shape == (2, 9, TINY["embed_dim"])


def test_weights_of_another_size_are_refused_unless_they_are_to_be_interpolated(tmp_path: Path) -> None:
    spec = encoder_spec("clip", tmp_path, resolution=SIDE + 14, interpolate=False)
    with pytest.raises(InputError, match=r"55 tensors 1 have another shape \(pos_embed\)"):
        build_vision(spec, 7, tmp_path)


def test_a_file_of_other_names_is_refused_as_safetensors_keep_no_order(tmp_path: Path) -> None:
    spec = encoder_spec("siglip", tmp_path)
    file = tmp_path / "hub" / "timm" / "siglip" / "model.safetensors"
    save_file({f"visual.{key}": tensor for key, tensor in load_file(file).items()}, file)
    with pytest.raises(InputError, match="must fit the architecture vit_so400m_patch14_siglip_384"):
        build_vision(spec, 7, tmp_path)


@pytest.mark.parametrize("name", [*FAMILIES, *PAIRS])
def test_unused_parameters_are_exactly_those_no_feature_depends_on(name: str, tmp_path: Path) -> None:
    spec = encoder_spec(name, tmp_path)
    encoder = build_vision(spec, 7, tmp_path)
    image_BCHW = _images(spec)
    unused = encoder.unused_parameters()
    with torch.no_grad():
        before = encoder(image_BCHW)
        for key, parameter in encoder.named_parameters():
            if key in unused:
                parameter.add_(1.0)
        assert torch.equal(encoder(image_BCHW), before)
    assert any(".blocks.3." in f".{key}" for key in unused)
    assert not any(".blocks.2." in f".{key}" for key in unused)


# ---------------------------------------------------------------- facts of presets


@pytest.mark.parametrize("name", TOWERS)
def test_facts_of_a_preset_are_those_of_timm(name: str) -> None:
    entry = shipped().encoders[name]
    assert isinstance(entry, EncoderEntry)
    native = entry.native or entry.resolution
    with torch.device("meta"):
        model = timm.create_model(entry.arch, pretrained=False, num_classes=0)
        image = torch.zeros(1, 3, native, native)
    if entry.family == "vit":
        (features,) = model.forward_intermediates(image, indices=[-2], intermediates_only=True)
        assert entry.patch is not None
        assert features.shape == (1, entry.width, native // entry.patch, native // entry.patch)
        assert model.patch_embed.patch_size == (entry.patch, entry.patch)
        assert model.patch_embed.img_size == (native, native)
    else:
        levels = {level["reduction"]: level["num_chs"] for level in model.feature_info}
        levels[max(levels)] = model.forward_features(image).shape[1]
        assert entry.strides.items() <= levels.items()
    assert entry.checkpoint is not None
    if entry.checkpoint.startswith("hub:timm/"):
        published = timm.models.get_pretrained_cfg(entry.checkpoint.removeprefix("hub:timm/"))
        assert published is not None
        assert published.hf_hub_id == entry.checkpoint.removeprefix("hub:")
        assert published.input_size == (3, native, native)
        assert (published.mean, published.std) == (entry.mean, entry.std)


@pytest.mark.parametrize(
    ("name", "tokens", "width"),
    [
        ("dinoclip-vit-l-336px", 576, 2048),
        ("dinosiglip-vit-so-384px", 729, 2176),
        ("dinosiglip-vit-so-224px", 256, 2176),
    ],
)
def test_a_fused_preset_gives_the_published_tokens_and_width(name: str, tokens: int, width: int) -> None:
    fused = shipped().encoders[name]
    assert isinstance(fused, FusedEntry)
    parts = [shipped().encoders[part] for part in fused.parts]
    with torch.device("meta"):
        encoder = FusedEncoder(
            vision(
                family="fused",
                parts=tuple(
                    vision(
                        arch=part.arch,
                        family="vit",
                        resolution=fused.resolution,
                        options={"img_size": fused.resolution},
                    )
                    for part in parts
                    if isinstance(part, EncoderEntry)
                ),
            )
        )
        image = torch.zeros(1, 6, fused.resolution, fused.resolution)
    assert encoder(image).shape == (1, tokens, width)


# ---------------------------------------------------------------- what is declared, and what is there


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"width": 128}, "the width of test_efficientnet must be 64 or 256, as timm builds it, but got 128"),
        ({"patch": 24}, "stride must be one of"),
        ({"arch": "nobodys_net"}, "timm must build nobodys_net"),
        ({"arch": "vit_tiny_patch16_224", "family": "vit", "patch": 16, "width": 192}, "timm must build vit_tiny"),
        (
            {"arch": "test_vit", "family": "vit", "patch": 8, "width": 64, "options": {"img_size": 64}},
            "the patch of test_vit must be 16 px, as timm builds it, but got 8",
        ),
        ({"options": {"nothing": 1}}, "timm must build test_efficientnet"),
    ],
)
def test_an_encoder_that_is_not_what_is_declared_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        check_encoder(vision(**changes), Path())


def test_a_prefix_is_recognised_and_can_be_declared(tmp_path: Path) -> None:
    spec = encoder_spec("siglip", tmp_path)
    file = tmp_path / "hub" / "timm" / "siglip" / "model.safetensors"
    whole = load_file(file)
    save_file({f"visual.trunk.{key}": tensor for key, tensor in whole.items()} | {"text.w": torch.ones(2)}, file)
    with pytest.raises(InputError, match=r"write `weights_prefix: 'visual\.trunk\.'` in its entry of `backbones`"):
        check_encoder(spec, tmp_path)
    built = build_vision(spec.model_copy(update={"weights_prefix": "visual.trunk."}), 7, tmp_path)
    assert isinstance(built, Tower)
    for key, tensor in built.tower.state_dict().items():
        assert torch.equal(tensor, whole[key]), key


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_file_of_torch_is_read_as_data_and_by_name(wrapped: bool, tmp_path: Path) -> None:
    spec = encoder_spec("clip", tmp_path)
    whole = load_file(tmp_path / "hub/timm/clip/model.safetensors")
    torch.save({"state_dict": whole, "epoch": 3} if wrapped else whole, tmp_path / "own.pth")
    own = spec.model_copy(update={"checkpoint": "path:own.pth"})
    check_encoder(own, tmp_path)
    built = build_vision(own, 7, tmp_path)
    assert isinstance(built, Tower)
    assert torch.equal(built.tower.state_dict()["blocks.0.norm1.weight"], whole["blocks.0.norm1.weight"])
    torch.save({f"x{number}": tensor for number, tensor in enumerate(whole.values())}, tmp_path / "own.pth")
    with pytest.raises(InputError, match="are missing"):
        check_encoder(own, tmp_path)


def test_code_in_a_file_of_torch_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "was-run",))

    spec = encoder_spec("clip", tmp_path)
    torch.save({"a": Evil()}, tmp_path / "own.pth")
    with pytest.raises(InputError, match="executes no code"):
        check_encoder(spec.model_copy(update={"checkpoint": "path:own.pth"}), tmp_path)
    assert not (tmp_path / "was-run").exists()
