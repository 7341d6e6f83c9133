"""Claims about building language models from checkpoints in the hub's format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers

from search_spaces.errors import InputError
from tests.support.hub_languages import FAMILIES, ROWS, WIDTH, hub_language
from tests.support.tiny_specs import language
from trainables.model.language import build_language, logits_of_head
from trainables.model.weights import find_weights


def _original(folder: Path, name: str) -> dict[str, torch.Tensor]:
    path = find_weights(name, folder)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    return dict(loaded.named_parameters())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shards", [False, True])
def test_a_checkpoint_is_loaded_as_it_is_but_for_new_rows(family: str, shards: bool, tmp_path: Path) -> None:
    spec = hub_language(tmp_path, family, shards=shards)
    folder = tmp_path / "hub/tiny" / family
    assert (folder / "model.safetensors.index.json").exists() == shards
    model, original = build_language(spec, 401, 7, tmp_path), _original(tmp_path, str(spec.checkpoint))
    rows = 512 if family in ("llama", "mistral", "phi") else ROWS
    assert model.get_input_embeddings().num_embeddings == model.config.vocab_size == rows
    assert dict(model.named_parameters()).keys() == original.keys()
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter[:ROWS] if len(parameter) == rows else parameter, original[name]), name


def test_new_rows_follow_the_seed_alone_and_look_like_the_models_own_initialisation(tmp_path: Path) -> None:
    spec = hub_language(tmp_path, "llama")
    torch.manual_seed(99)
    first, again = (build_language(spec, 401, 7, tmp_path).get_input_embeddings().weight[ROWS:] for _ in range(2))
    reseeded = build_language(spec, 401, 8, tmp_path).get_input_embeddings().weight[ROWS:]
    assert torch.equal(first, again)
    assert not torch.equal(first, reseeded)
    assert 0.08 < float(first.detach().std()) < 0.12  # initializer_range of the checkpoint: 0.1


def test_tied_embeddings_stay_tied_when_they_grow(tmp_path: Path) -> None:
    spec = hub_language(tmp_path, "llama", model="tiny/tied", options={"tie_word_embeddings": True})
    model = build_language(spec, 401, 7, tmp_path)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert model.get_output_embeddings().weight.shape == (512, WIDTH)


def test_embeddings_never_shrink(tmp_path: Path) -> None:
    spec = hub_language(tmp_path, "qwen2")
    assert build_language(spec, 100, 7, tmp_path).get_input_embeddings().num_embeddings == ROWS


def test_a_bf16_checkpoint_is_loaded_as_its_values_in_fp32(tmp_path: Path) -> None:
    spec = hub_language(tmp_path, "mistral", dtype=torch.bfloat16)
    model, original = build_language(spec, 401, 7, tmp_path), _original(tmp_path, str(spec.checkpoint))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    layer = "model.layers.0.mlp.up_proj.weight"
    assert torch.equal(dict(model.named_parameters())[layer], original[layer])


@pytest.mark.parametrize("family", ["gemma2", "cohere", "granite"])
def test_logits_are_the_models_own_where_a_family_scales_or_bounds_them(family: str, tmp_path: Path) -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    special = {
        "gemma2": {"final_logit_softcapping": 3.0, "head_dim": 16},
        "cohere": {"logit_scale": 0.25},
        "granite": {"logits_scaling": 8.0},
    }[family]
    spec = language(family=family, config={**sizes, **special, "pad_token_id": 0})
    model = build_language(spec, 260, 7, tmp_path).eval()
    inputs = torch.randn(1, 5, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        hidden = model.base_model(inputs_embeds=inputs, use_cache=False).last_hidden_state
        own = model(inputs_embeds=inputs, use_cache=False).logits
        torch.testing.assert_close(logits_of_head(model)(model.get_output_embeddings()(hidden)), own)


def test_attention_dropout_is_off(tmp_path: Path) -> None:
    spec = hub_language(tmp_path, "llama", options={"attention_dropout": 0.3})
    assert build_language(spec, 401, 7, tmp_path).model.layers[0].self_attn.attention_dropout == 0.0


def test_an_unknown_family_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model_type of transformers, but got 'lama'\n.*'llama'"):
        build_language(language(family="lama"), 260, 7, tmp_path)


def test_a_checkpoint_that_transformers_cannot_load_is_bad_input(tmp_path: Path) -> None:
    spec = hub_language(tmp_path, "llama")
    config = tmp_path / "hub/tiny/llama/config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "model_type": "nobodys-model"}))
    with pytest.raises(InputError, match="must be a causal language model that transformers"):
        build_language(spec, 401, 7, tmp_path)


def test_another_width_than_the_checkpoints_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"language\.width must be the checkpoint's 32, but got 64"):
        build_language(hub_language(tmp_path, "llama", width=64), 401, 7, tmp_path)
