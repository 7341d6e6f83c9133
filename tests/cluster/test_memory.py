"""Claims about cluster/memory.py: shares by ZeRO stage, fp32 masters, and activations as autograd really saves them."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import timm
import torch
import transformers

from cluster.memory import (
    activation_bytes,
    encoder_block_bytes,
    nearest_fitting,
    optimizer_bytes,
    sequence,
    stage_memory,
)
from search_spaces.resource_spec import ResourceSpec
from search_spaces.sizes import LanguageShape, ModelSize, SizedFamily, VitShape
from search_spaces.spec import LoraSpec, PackingSpec, ProjectorSpec, StageSpec
from search_spaces.trained_sizes import adapter_size
from tests.support.saved_tensors import saved_bytes
from tests.support.sized_stages import SIZE_7B, TRAINED, sized_stage
from trainables.model.dropout import Draws
from trainables.model.lora import add_lora, train_adapters_only


def _memory(stage: StageSpec, **resources: Any) -> Any:
    fields: dict[str, Any] = {"workers": 8, "gpus_per_worker": 1, "micro_batch": 16}
    return stage_memory(SIZE_7B, stage, ResourceSpec(**(fields | resources)), 2048, False)


def test_bf16_keeps_masters_and_states_in_fp32_and_zero_cuts_what_its_stage_says() -> None:
    """Rajbhandari et al. 2020, section 3.1: 2 bytes of weights, 2 of gradients, 12 of the optimizer for a weight."""
    whole, one, two, three = (_memory(sized_stage(), zero=zero) for zero in (0, 1, 2, 3))
    assert whole == one == two
    assert (two.weights, two.gradients, two.optimizer) == (2 * TRAINED, TRAINED // 4, 12 * TRAINED // 8)
    assert (three.weights, three.gradients, three.optimizer) == (TRAINED // 4, TRAINED // 4, 12 * TRAINED // 8)


def test_fp32_is_cut_by_what_zero_says() -> None:
    whole, one, two, three = (_memory(sized_stage(precision="fp32"), zero=zero) for zero in (0, 1, 2, 3))
    assert (whole.weights, whole.gradients, whole.optimizer) == (4 * TRAINED, 4 * TRAINED, 8 * TRAINED)
    assert (one.weights, one.gradients, one.optimizer) == (4 * TRAINED, 4 * TRAINED, 12 * TRAINED // 8)
    assert (two.weights, two.gradients, two.optimizer) == (4 * TRAINED, TRAINED // 2, 12 * TRAINED // 8)
    assert (three.weights, three.gradients, three.optimizer) == (TRAINED // 2, TRAINED // 2, 12 * TRAINED // 8)


def test_sums_of_micro_batches_take_4_bytes_for_a_weight_in_bf16() -> None:
    assert _memory(sized_stage(), zero=2, micro_batch=4).gradients == 4 * TRAINED // 8


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


def test_the_copy_of_a_checkpoint_that_is_written_in_the_background_is_in_the_hosts_memory() -> None:
    """Masters and two states of AdamW, in fp32: 12 bytes a parameter, of which each worker copies its part."""
    assert _memory(sized_stage(), zero=2).host == 12 * TRAINED // 8
    waiting = _memory(sized_stage(), zero=2, checkpoint_copy="wait")
    assert waiting.host == 0
    assert waiting.total == _memory(sized_stage(), zero=2).total


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


def _decoder(family: SizedFamily, dtype: torch.dtype) -> tuple[ModelSize, Any]:
    """A small language model of several layers, and its size."""
    shape = LanguageShape(layers=4, heads=4, kv_heads=4 if family == "phi" else 2, mlp=344, vocabulary=64)
    config = transformers.AutoConfig.for_model(
        family, hidden_size=128, num_hidden_layers=shape.layers, num_attention_heads=4, intermediate_size=344,
        num_key_value_heads=shape.kv_heads, vocab_size=64, sliding_window=None, attn_implementation="sdpa",
    )  # fmt: skip
    model = transformers.AutoModelForCausalLM.from_config(config).to(dtype)
    return ModelSize((), 0, ProjectorSpec(kind="linear"), shape, family, 128), model


@pytest.mark.parametrize("family", get_args(SizedFamily))
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_decoder_layers_keep_what_the_formula_says(family: SizedFamily, precision: Any) -> None:
    """Several layers at once: at the border between two a tensor is kept for both."""
    tokens, dtype = 256, torch.bfloat16 if precision == "bf16" else torch.float32
    size, model = _decoder(family, dtype)
    width = size.width
    inputs = torch.randn(1, tokens, width, dtype=dtype, requires_grad=True)
    mask = torch.ones(1, tokens, dtype=torch.long)
    kept = saved_bytes(
        lambda: model.base_model(inputs_embeds=inputs, attention_mask=mask, use_cache=False),
        [*model.parameters(), *model.buffers(), inputs],
    )
    computed = activation_bytes(size, sized_stage(precision=precision, activation_checkpointing=False), 1, tokens - 1)
    assert kept == pytest.approx(computed, rel=0.12)


@pytest.mark.parametrize("family", get_args(SizedFamily))
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_layers_with_adapters_keep_what_the_formula_says(family: SizedFamily, dropout: float) -> None:
    """With dropout it is an upper bound: adapters copy inputs that the frozen layers then do not keep."""
    size, model = _decoder(family, torch.float32)
    lora, draws = LoraSpec(rank=8, alpha=16, dropout=dropout), Draws()
    before = list(model.parameters())
    add_lora(model, lora, 7, "finetune", draws)
    train_adapters_only(model)
    draws.seeds_B = torch.zeros(1, dtype=torch.long)
    inputs = torch.randn(1, 256, size.width, requires_grad=True)
    mask = torch.ones(1, 256, dtype=torch.long)
    kept = saved_bytes(
        lambda: model.base_model(inputs_embeds=inputs, attention_mask=mask, use_cache=False),
        [*before, *model.parameters(), *model.buffers(), inputs],
    )
    stage = sized_stage(precision="fp32", activation_checkpointing=False, lora=lora)
    computed = activation_bytes(size, stage, 1, 255)
    assert kept == pytest.approx(computed, rel=0.12) if dropout == 0 else kept <= computed <= 1.25 * kept


def test_adapters_alone_have_gradients_and_states_and_the_language_model_is_there_once() -> None:
    lora = LoraSpec(rank=64, alpha=128)
    whole, adapted = _memory(sized_stage(), zero=2), _memory(sized_stage(lora=lora), zero=2)
    adapters = adapter_size(SIZE_7B, lora).parameters
    trained = adapters + 20_979_712
    assert adapters == 159_907_840  # rank 64 on all linear layers of Llama 2 7B
    assert adapted.weights == whole.weights + 2 * adapters
    assert (adapted.gradients, adapted.optimizer) == (2 * trained // 8, 12 * trained // 8)
    assert adapted.total < whole.total


def test_a_packed_row_takes_the_memory_of_its_positions_whatever_the_micro_batch() -> None:
    row = 16 * sequence(SIZE_7B, 2048)
    packed = sized_stage(packing=PackingSpec(tokens=row))
    assert _memory(packed, micro_batch=16) == _memory(packed, micro_batch=1)
    padded, rows = _memory(sized_stage(), micro_batch=16), _memory(packed)
    assert padded.activations <= rows.activations <= 1.05 * padded.activations
    assert _memory(sized_stage(packing=PackingSpec(tokens=row // 4))).activations < rows.activations / 3


def test_encoder_blocks_keep_what_the_formula_says() -> None:
    width, depth, mlp = 128, 4, 512
    tower = timm.create_model(
        "vit_tiny_patch16_224", num_classes=0, embed_dim=width, depth=depth, num_heads=4, img_size=128
    )
    image = torch.randn(1, 3, 128, 128)
    kept = saved_bytes(lambda: tower.forward_features(image), [*tower.parameters(), image])
    shape = VitShape(depth=depth, heads=4, mlp=mlp)
    assert kept == pytest.approx(depth * 65 * encoder_block_bytes(shape, width, 4), rel=0.12)
