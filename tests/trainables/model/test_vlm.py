"""The model's loss is the sum of its records' losses, and its first weights follow the seed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from search_spaces.errors import InputError
from search_spaces.spec import TrialSpec
from tests.support.tiny_specs import language, vision
from tests.support.tiny_trials import make_task
from trainables.model.tokenizer import IGNORE, byte_tokenizer
from trainables.model.vision import build_vision
from trainables.model.vlm import VLM, Batch, build_modules, pool


@pytest.fixture
def spec(tmp_path: Path) -> TrialSpec:
    return make_task(tmp_path).trial


def _model(spec: TrialSpec, tmp_path: Path, with_vision: bool = False) -> VLM:
    return build_modules(spec, byte_tokenizer(), tmp_path, with_vision).eval()


def _batch(lengths: list[int], features: bool = True) -> Batch:
    torch.manual_seed(0)
    width = max(lengths)
    ids_BT = torch.randint(4, 200, (len(lengths), width))
    mask_BT = torch.tensor([[int(t < length) for t in range(width)] for length in lengths])
    labels_BT = torch.where((mask_BT == 1) & (torch.arange(width) >= 2), ids_BT, IGNORE)
    return Batch(ids_BT, labels_BT, mask_BT, None, torch.randn(len(lengths), 4, 256) if features else None)


def _slow_loss(model: VLM, batch: Batch, row: int) -> float:
    """[BOS] [image] [text] of one record, token by token, with the language model's own full logits."""
    length = int(batch.mask_BT[row].sum())
    embed = model.language.get_input_embeddings()
    parts = [embed(torch.tensor([1]))]
    if batch.features_BPC is not None:
        parts.append(model.projector(batch.features_BPC[row]))
    ids = batch.ids_BT[row, :length]
    inputs = torch.cat([*parts, embed(ids)]).unsqueeze(0)
    logits = model.language(inputs_embeds=inputs, use_cache=False).logits[0]
    begin = inputs.shape[1] - length
    targets = [(begin + t - 1, int(ids[t])) for t in range(length) if batch.labels_BT[row, t] != IGNORE]
    return sum(float(F.cross_entropy(logits[at], torch.tensor(token))) for at, token in targets)


@pytest.mark.parametrize("family", ["llama", "mistral", "phi"])
@pytest.mark.parametrize("features", [True, False])
def test_the_loss_of_a_padded_batch_is_the_sum_of_its_records_one_by_one(
    family: str, features: bool, tmp_path: Path
) -> None:
    spec = make_task(tmp_path, language_spec=language(family=family)).trial
    model, batch = _model(spec, tmp_path), _batch([9, 5, 7], features)
    with torch.inference_mode():
        slow = sum(_slow_loss(model, batch, row) for row in range(3))
        assert float(model(batch)) == pytest.approx(slow, rel=1e-5)


def test_a_text_only_batch_touches_the_projector_with_zero_gradient(spec: TrialSpec, tmp_path: Path) -> None:
    model = _model(spec, tmp_path)
    model(_batch([5, 4], features=False)).backward()
    gradients = [parameter.grad for parameter in model.projector.parameters()]
    assert all(gradient is not None and float(gradient.abs().max()) == 0 for gradient in gradients)


def test_initial_weights_follow_the_seed_and_not_what_was_built_before(tmp_path: Path) -> None:
    specs = [make_task(tmp_path, seed=seed).trial for seed in (7, 7, 8)]
    torch.manual_seed(123)
    first, again, reseeded = (_model(spec, tmp_path).state_dict() for spec in specs)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["projector.0.weight"], reseeded["projector.0.weight"])


def test_pooling_averages_squares_of_the_grid() -> None:
    features_BPC = torch.arange(16.0).reshape(1, 16, 1)
    assert pool(features_BPC, 4).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert pool(features_BPC, 1).flatten().tolist() == [7.5]
    assert pool(features_BPC, 16) is features_BPC


def test_a_transformer_gives_its_second_to_last_block_without_class_token(tmp_path: Path) -> None:
    small = vision(arch="test_vit", family="vit", patch=16, width=64, tokens=16, options={"img_size": 64})
    encoder = build_vision(small, 7, tmp_path)
    image_BCHW = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        tower = encoder.tower
        x = tower._pos_embed(tower.patch_embed(image_BCHW))
        x = tower.norm_pre(x)
        for block in tower.blocks[:-1]:
            x = block(x)
        assert torch.allclose(encoder(image_BCHW), x[:, tower.num_prefix_tokens :], atol=1e-6)


def test_a_convolutional_encoder_gives_its_grid_in_row_major_order(tmp_path: Path) -> None:
    encoder = build_vision(vision(), 7, tmp_path)
    image_BCHW = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        features_BCHW = encoder.tower.forward_features(image_BCHW)
        assert torch.equal(encoder(image_BCHW)[0, 1], features_BCHW[0, :, 0, 1])


@pytest.mark.parametrize("side", [64, 96])
def test_pretrained_positions_are_interpolated_to_another_resolution_where_asked(side: int, tmp_path: Path) -> None:
    fields = {"arch": "test_vit", "family": "vit", "patch": 16, "width": 64, "weights": "pretrained"}
    origin = build_vision(vision(**fields, tokens=16, options={"img_size": 64}), 7, tmp_path)
    save_file(origin.tower.state_dict(), tmp_path / "vit.safetensors")
    fields |= {"checkpoint": "path:vit.safetensors", "resolution": side, "options": {"img_size": side}}
    fields["tokens"] = (side // 16) ** 2
    loaded = build_vision(vision(**fields, interpolate=True), 8, tmp_path)
    assert loaded.tower.pos_embed.shape[1] == fields["tokens"] + loaded.tower.num_prefix_tokens
    assert torch.equal(loaded.tower.blocks[0].attn.qkv.weight, origin.tower.blocks[0].attn.qkv.weight)
    if side == 64:
        assert torch.allclose(loaded.tower.pos_embed, origin.tower.pos_embed)
    else:
        with pytest.raises(InputError, match="pos_embed"):
            build_vision(vision(**fields), 8, tmp_path)
