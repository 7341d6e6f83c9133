"""What is drawn is drawn from the seed: two builds of a model are equal, whatever state the process's draws are in."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from torch import nn
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from search_spaces.errors import InputError
from search_spaces.spec import LoraSpec, ProjectorSpec
from tests.support.hub_languages import hub_language
from tests.support.tiny_specs import language, vision
from trainables.model.dropout import Draws
from trainables.model.language import build_language
from trainables.model.language_config import check_family
from trainables.model.lora import add_lora
from trainables.model.projector import build_projector
from trainables.model.vision import build_vision

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "pad_token_id": 0,
}
_MANY = 2_000_000
"""Parameters above which a family has a part that these sizes do not make small."""
_LEAST = 60
"""Families that are built at least: fewer mean that the sizes no longer fit the library."""


def _built(build: Callable[[int], nn.Module], seed: int, state: int) -> dict[str, torch.Tensor]:
    """Build while the process's own generators are in some state, which must be left as it was."""
    torch.manual_seed(state)
    np.random.seed(state)
    random.seed(state)
    before = torch.random.get_rng_state()
    model = build(seed)
    assert torch.equal(torch.random.get_rng_state(), before)
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _assert_drawn_from_the_seed(build: Callable[[int], nn.Module], draws: bool = True) -> None:
    first, again, other = (_built(build, seed, state) for seed, state in ((7, 1), (7, 2), (8, 1)))
    assert [name for name in first if not torch.equal(first[name], again[name])] == []
    assert any(not torch.equal(first[name], other[name]) for name in first) == draws


def _small_families() -> list[str]:
    """List the causal families that are small at these sizes."""
    small = []
    for family in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        try:
            check_family(family, Path("config.json"))
            with torch.device("meta"):
                config = transformers.AutoConfig.for_model(family, vocab_size=64, **SIZES)
                model = transformers.AutoModelForCausalLM.from_config(config)
        except InputError:  # not causal
            continue
        except Exception:  # these sizes are none of this family's
            continue
        if sum(parameter.numel() for parameter in model.parameters()) < _MANY:
            small.append(family)
    return small


def test_every_family_is_drawn_from_the_seed_and_reads_no_later_token() -> None:
    families = _small_families()
    assert len(families) > _LEAST
    for family in families:
        spec = language(family=family, config=SIZES)
        first, again = (_built(lambda seed: build_language(spec, 64, seed, Path()), 7, state) for state in (1, 2))  # noqa: B023
        assert [name for name in first if not torch.equal(first[name], again[name])] == [], family


@pytest.mark.parametrize("family", ["llama", "mistral", "phi", "gpt_neox", "qwen2", "gpt2", "gemma2", "opt", "bloom"])
def test_seeds_tell_models_apart(family: str) -> None:
    spec = language(family=family, config=SIZES)
    _assert_drawn_from_the_seed(lambda seed: build_language(spec, 64, seed, Path()))


def test_of_a_checkpoint_only_new_rows_are_drawn(tmp_path: Path) -> None:
    spec = hub_language(tmp_path, "llama")
    _assert_drawn_from_the_seed(lambda seed: build_language(spec, 401, seed, tmp_path))
    whole = spec.model_copy(update={"embedding_multiple": 1})
    _assert_drawn_from_the_seed(lambda seed: build_language(whole, 401, seed, tmp_path), draws=False)


@pytest.mark.parametrize("arch", ["test_efficientnet", "test_vit", "test_convnext", "test_resnet"])
def test_encoders_are_drawn_from_the_seed(arch: str) -> None:
    is_vit = arch == "test_vit"
    options = {"img_size": 64} if is_vit else {}
    spec = vision(arch=arch, family="vit" if is_vit else "conv", patch=16, options=options)
    _assert_drawn_from_the_seed(lambda seed: build_vision(spec, seed, Path()))


def test_projectors_and_adapters_are_drawn_from_the_seed() -> None:
    _assert_drawn_from_the_seed(lambda seed: build_projector(ProjectorSpec(kind="fused-gelu-mlp"), 8, 16, seed))

    def adapted(seed: int) -> nn.Module:
        model = build_language(language(), 64, 7, Path())
        add_lora(model, LoraSpec(rank=2, alpha=4), seed, "finetune", Draws())
        return model

    _assert_drawn_from_the_seed(adapted)
