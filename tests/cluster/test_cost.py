"""Claims about cluster/cost.py: operations against a counter, hours against the paper, disk."""

from __future__ import annotations

from typing import get_args

import pytest
import timm
import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

from cluster.cost import TEXT_TOKENS, decoder_operations, encoder_operations, gpu_hours, operations, stage_disk
from cluster.padding import padding
from search_spaces.catalogue.load import shipped
from search_spaces.resource_spec import ResourceSpec
from search_spaces.sizes import EncoderSize, LanguageShape, ModelSize, SizedFamily
from search_spaces.spec import LoraSpec, ProjectorSpec
from search_spaces.trained_sizes import adapter_size
from tests.support.sized_stages import CLIP, SIZE_7B, TRAINED, sized_stage
from trainables.model.dropout import Draws
from trainables.model.lora import add_lora, train_adapters_only


@pytest.mark.parametrize("family", ["llama", "mistral", "phi"])
def test_operations_of_decoder_layers_are_those_that_torch_counts(family: str) -> None:
    shape = LanguageShape(layers=3, heads=4, kv_heads=4 if family == "phi" else 2, mlp=344, vocabulary=64)
    config = transformers.AutoConfig.for_model(
        family, hidden_size=128, num_hidden_layers=3, num_attention_heads=4, intermediate_size=344,
        num_key_value_heads=shape.kv_heads, vocab_size=64, sliding_window=None, attn_implementation="eager",
    )  # fmt: skip
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        model.base_model(inputs_embeds=torch.zeros(1, 257, 128), use_cache=False)
    size = ModelSize((), 0, ProjectorSpec(kind="linear"), shape, family, 128)
    assert counted.get_total_flops() == pytest.approx(sum(decoder_operations(size, 256)), rel=0.01)


@pytest.mark.parametrize("family", get_args(SizedFamily))
def test_operations_with_adapters_are_those_that_torch_counts_forward_and_backward(family: SizedFamily) -> None:
    shape = LanguageShape(layers=3, heads=4, kv_heads=4 if family == "phi" else 2, mlp=344, vocabulary=64)
    config = transformers.AutoConfig.for_model(
        family, hidden_size=128, num_hidden_layers=3, num_attention_heads=4, intermediate_size=344,
        num_key_value_heads=shape.kv_heads, vocab_size=64, sliding_window=None, attn_implementation="eager",
    )  # fmt: skip
    model = transformers.AutoModelForCausalLM.from_config(config)
    lora = LoraSpec(rank=16, alpha=32)
    add_lora(model, lora, 7, "finetune", Draws())
    train_adapters_only(model)
    inputs = torch.zeros(1, 257, 128, requires_grad=True)
    with FlopCounterMode(display=False) as counted:
        logits = model(inputs_embeds=inputs, use_cache=False).logits
        forward = counted.get_total_flops()
        logits.sum().backward()
    size = ModelSize((), 0, ProjectorSpec(kind="linear"), shape, family, 128)
    computed = operations(size, sized_stage(trains=("language",), lora=lora), 256, cached=True)
    assert forward == pytest.approx(computed.forward, rel=0.01)
    assert counted.get_total_flops() - forward == pytest.approx(computed.backward, rel=0.01)


def test_operations_of_an_encoder_are_those_that_torch_counts_up_to_the_block_that_is_used() -> None:
    with torch.device("meta"):
        tower = timm.create_model("vit_large_patch14_clip_quickgelu_336", num_classes=0)
        for block in tower.blocks:
            block.attn.fused_attn = False
        with FlopCounterMode(display=False) as counted:
            tower.forward_intermediates(
                torch.empty(1, 3, 336, 336), indices=[22], intermediates_only=True, stop_early=True
            )
    assert counted.get_total_flops() == pytest.approx(encoder_operations(EncoderSize(CLIP, 14, 1024, 24)), rel=0.01)


def test_the_papers_base_arm_takes_less_than_nine_hours_on_eight_a100_as_it_reports() -> None:
    """Its micro-batches are of 16 records, without accumulation (TRI-ML/prismatic-vlms, prismatic/conf/models.py)."""
    a100, work = shipped().gpus["a100"], operations(SIZE_7B, sized_stage(), TEXT_TOKENS, cached=False)
    padded = padding(SIZE_7B, sized_stage(), ResourceSpec(workers=8, micro_batch=16), TEXT_TOKENS, 2048)
    hours = gpu_hours(padded * work.model, 5198 * 128, 312, a100.reached) / 8
    assert 7 < hours < 9


def test_frozen_weights_save_half_of_the_backward_pass_and_checkpointing_repeats_the_layers() -> None:
    align, finetune = sized_stage(trains=("projector",)), sized_stage()
    one, two = (operations(SIZE_7B, stage, 256, cached=True) for stage in (align, finetune))
    assert one.forward == two.forward
    assert 0.5 < one.backward / two.backward < 0.55
    assert two.backward == pytest.approx(2 * two.forward, rel=1e-6)
    assert operations(SIZE_7B, sized_stage(activation_checkpointing=False), 256, cached=True).recomputed == 0
    assert two.forward > two.recomputed > 0.9 * two.forward


def test_disk_holds_trained_weights_only_and_step_checkpoints_of_all_stages_but_those_of_one_step() -> None:
    disk = stage_disk(SIZE_7B, sized_stage(), 5198)
    assert (disk.handed_on, disk.step_checkpoint) == (2 * TRAINED, 12 * TRAINED)
    assert stage_disk(SIZE_7B, sized_stage(), 100).step_checkpoint == 12 * TRAINED
    assert stage_disk(SIZE_7B, sized_stage(), 1).step_checkpoint == 0
    assert stage_disk(SIZE_7B, sized_stage(trains=("projector",)), None).handed_on == 2 * 20_979_712


def test_step_checkpoints_hold_adapters_only_and_what_is_handed_on_is_the_merged_language_model() -> None:
    lora = LoraSpec(rank=8, alpha=16, targets=("q_proj",))
    disk = stage_disk(SIZE_7B, sized_stage(lora=lora), 5198)
    adapters = adapter_size(SIZE_7B, lora)
    assert (adapters.parameters, adapters.adapted) == (32 * 8 * 2 * 4096, 32 * 4096**2)
    assert disk.step_checkpoint == 12 * (adapters.parameters + 20_979_712)
    assert disk.handed_on == 2 * TRAINED + 2 * adapters.adapted
