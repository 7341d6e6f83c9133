"""Claims about cluster/memory.py: shares by ZeRO stage, fp32 masters, and activations as autograd really saves them."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
import transformers

from cluster.memory import activation_bytes, encoder_block_bytes, nearest_fitting, optimizer_bytes, stage_memory
from search_spaces.sizes import LanguageShape, ModelSize, VitShape
from search_spaces.spec import ProjectorSpec, ResourceSpec, StageSpec
from tests.support.saved_tensors import saved_bytes
from tests.support.sized_stages import SIZE_7B, TRAINED, sized_stage


def _memory(stage: StageSpec, **resources: Any) -> Any:
    fields: dict[str, Any] = {"workers": 8, "gpus_per_worker": 1, "micro_batch": 16}
    return stage_memory(SIZE_7B, stage, ResourceSpec(**(fields | resources)), 2048, False)


def test_bf16_keeps_masters_and_states_in_fp32_and_zero_cuts_what_its_stage_says() -> None:
    """Rajbhandari et al. 2020, section 3.1: 2 bytes of weights, 2 of gradients, 12 of the optimizer for a weight."""
    whole, one, two, three = (_memory(sized_stage(), zero=zero) for zero in (0, 1, 2, 3))
    assert (whole.weights, whole.gradients, whole.optimizer) == (2 * TRAINED, 2 * TRAINED, 12 * TRAINED)
    assert (one.weights, one.gradients, one.optimizer) == (2 * TRAINED, 2 * TRAINED, 12 * TRAINED // 8)
    assert (two.weights, two.gradients, two.optimizer) == (2 * TRAINED, TRAINED // 4, 12 * TRAINED // 8)
    assert (three.weights, three.gradients, three.optimizer) == (TRAINED // 4, TRAINED // 4, 12 * TRAINED // 8)


def test_a_frozen_encoder_is_in_half_precision_and_gone_where_features_are_cached() -> None:
    assert _memory(sized_stage(), zero=2).encoder == 2 * 303_507_456
    cached = stage_memory(SIZE_7B, sized_stage(), ResourceSpec(workers=8, zero=2, micro_batch=16), 2048, True)
    assert cached.encoder == 0


def test_offloaded_parts_move_to_the_host() -> None:
    states, all_of_it = (
        _memory(sized_stage(), zero=3, offload="optimizer"),
        _memory(sized_stage(), zero=3, offload="optimizer+params"),
    )
    assert states.optimizer == states.gradients == 0
    assert states.host == 12 * TRAINED // 8 + 4 * TRAINED // 8
    assert all_of_it.weights == all_of_it.encoder == 0
    assert all_of_it.host > states.host


def test_fp32_has_masters_from_zero_1_on_only() -> None:
    stage = sized_stage(precision="fp32")
    assert optimizer_bytes(stage, ResourceSpec(zero=0), 1) == 8
    assert optimizer_bytes(stage, ResourceSpec(zero=1), 1) == 12


def test_the_nearest_fitting_change_keeps_the_experiment_and_fits() -> None:
    forty = 40_000_000_000
    asked = ResourceSpec(workers=8, gpus_per_worker=1, micro_batch=16, zero=2)
    assert _memory(sized_stage(), zero=2).total > forty
    change = nearest_fitting(SIZE_7B, sized_stage(), asked, 2048, False, forty)
    assert change is not None
    fields = {name: int(value) for name, value in (one.split(": ") for one in change.split(", "))}
    assert fields.keys() <= {"zero", "micro_batch"}
    assert _memory(sized_stage(), **{"zero": 2, **fields}).total <= forty
    assert nearest_fitting(SIZE_7B, sized_stage(), asked, 2048, False, 1_000_000_000) is None


@pytest.mark.parametrize("family", ["llama", "mistral", "phi"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_decoder_layers_keep_what_the_formula_says(family: str, precision: Any) -> None:
    """Several layers at once: at the border between two a tensor is kept for both."""
    width, layers, tokens = 128, 4, 256
    shape = LanguageShape(layers=layers, heads=4, kv_heads=4 if family == "phi" else 2, mlp=344, vocabulary=64)
    config = transformers.AutoConfig.for_model(
        family, hidden_size=width, num_hidden_layers=layers, num_attention_heads=4, intermediate_size=344,
        num_key_value_heads=shape.kv_heads, vocab_size=64, sliding_window=None, attn_implementation="sdpa",
    )  # fmt: skip
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    model = transformers.AutoModelForCausalLM.from_config(config).to(dtype)
    inputs = torch.randn(1, tokens, width, dtype=dtype, requires_grad=True)
    mask = torch.ones(1, tokens, dtype=torch.long)
    kept = saved_bytes(
        lambda: model.base_model(inputs_embeds=inputs, attention_mask=mask, use_cache=False),
        [*model.parameters(), *model.buffers(), inputs],
    )
    size = ModelSize((), 0, ProjectorSpec(kind="linear"), shape, family, width)
    computed = activation_bytes(size, sized_stage(precision=precision, activation_checkpointing=False), 1, tokens - 1)
    assert kept == pytest.approx(computed, rel=0.12)


def test_encoder_blocks_keep_what_the_formula_says() -> None:
    width, depth, mlp = 128, 4, 512
    tower = timm.create_model(
        "vit_tiny_patch16_224", num_classes=0, embed_dim=width, depth=depth, num_heads=4, img_size=128
    )
    image = torch.randn(1, 3, 128, 128)
    kept = saved_bytes(lambda: tower.forward_features(image), [*tower.parameters(), image])
    shape = VitShape(depth=depth, heads=4, mlp=mlp)
    assert kept == pytest.approx(depth * 65 * encoder_block_bytes(shape, width, 4), rel=0.12)
