"""A checkpoint is read in the precision of its stage, with the bits of one that is read in fp32 and cast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from search_spaces.spec import Precision
from tests.support.allocated_bytes import peak_bytes
from tests.support.hub_languages import FAMILIES, WIDTH, hub_language
from tests.support.tiny_specs import language, stage
from tests.support.tiny_trials import losses, make_task, run
from trainables.model.broadcast import broadcast_modules
from trainables.model.language import build_language
from trainables.model.precision import dtype_of
from trainables.model.vlm import VLM, build_modules
from trainables.storage import layout
from trainables.training import stage_engine

STORED = (torch.float32, torch.bfloat16, torch.float16)
CPU = torch.device("cpu")
ENGINES: tuple[tuple[Precision, int, torch.dtype], ...] = (
    ("fp32", 0, torch.bfloat16),
    ("fp32", 2, torch.float16),
    ("fp32", 3, torch.float32),
    ("bf16", 0, torch.float16),
    ("bf16", 2, torch.float32),
    ("bf16", 3, torch.bfloat16),
    ("bf16", 3, torch.float32),
)
"""Precision and ZeRO stage of a training stage, and the type of the checkpoint's weights."""
WIDE = {"hidden_size": 256, "intermediate_size": 1024, "vocab_size": 448}
"""Sizes of a model whose layers have far more weights than its embeddings; these do not grow."""


@pytest.mark.parametrize("stored", STORED, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_weights_read_in_bf16_are_those_that_are_read_in_fp32_and_cast(
    family: str, stored: torch.dtype, tmp_path: Path
) -> None:
    spec = hub_language(tmp_path, family, dtype=stored)
    for vocabulary in (100, 600):  # the embeddings stay as they are, or grow
        first, second = (build_language(spec, vocabulary, 7, tmp_path, dtype=dtype) for dtype in _READ)
        assert {parameter.dtype for parameter in second.parameters()} == {torch.bfloat16}
        cast, read = (broadcast_modules(lambda m=m: {"m": m}, torch.bfloat16, CPU)["m"] for m in (first, second))  # type: ignore[misc]
        assert [name for name, _ in read.named_parameters()] == [name for name, _ in cast.named_parameters()]
        assert [type(part) for part in read.modules()] == [type(part) for part in cast.modules()]
        for part in ("named_parameters", "named_buffers"):
            for (name, value), (_, expected) in zip(getattr(read, part)(), getattr(cast, part)(), strict=True):
                assert value.dtype == expected.dtype, name
                assert torch.equal(value, expected), name
        ids_BT = torch.arange(20).reshape(2, 10)
        assert torch.equal(read(input_ids=ids_BT).logits, cast(input_ids=ids_BT).logits)


@pytest.mark.parametrize(("precision", "zero", "stored"), ENGINES)
def test_losses_and_trained_weights_are_those_of_a_checkpoint_that_is_read_in_fp32(
    precision: Precision, zero: int, stored: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = (
        stage("align", trains=("projector",), max_steps=2, precision=precision),
        stage(max_steps=2, precision=precision),
    )
    read: list[torch.dtype] = []

    def results(folder: str) -> tuple[list[float], dict[str, bytes]]:
        spec = hub_language(tmp_path / folder, "qwen2", dtype=stored)
        task = make_task(tmp_path / folder, language_spec=spec, stages=stages, benchmarks=(), zero=zero)
        done = losses(run(task))
        folders = [tmp_path / folder / layout.stage_folder(trained.key) for trained in task.stages]
        return done, {
            str(file.relative_to(tmp_path / folder)): file.read_bytes()
            for each in folders
            for file in each.glob("*.safetensors")
        }

    def watched(*arguments: Any, **options: Any) -> VLM:
        model = build_modules(*arguments, **options)
        read.append(next(model.language.parameters()).dtype)
        return model

    def in_fp32(*arguments: Any, **options: Any) -> VLM:
        return watched(*arguments[:5], **options)

    monkeypatch.setattr(stage_engine, "build_modules", watched)
    own = results("own")
    assert read == [dtype_of(precision)] * 2
    monkeypatch.setattr(stage_engine, "build_modules", in_fp32)
    expected = results("fp32")
    assert read[2:] == [torch.float32] * 2
    assert own == expected
    assert len(own[0]) == 4
    assert len(own[1]) == 3


@pytest.mark.parametrize("stored", STORED, ids=str)
def test_loading_in_bf16_takes_the_memory_of_bf16_weights_at_the_peak(
    stored: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DEACTIVATE_ASYNC_LOAD", "1")  # allocations of other threads are not seen
    spec = hub_language(tmp_path, "llama", dtype=stored, options=WIDE, width=WIDE["hidden_size"])
    models: list[torch.nn.Module] = []

    def load(dtype: torch.dtype) -> int:
        return peak_bytes(lambda: models.append(_cast(build_language(spec, 100, 7, tmp_path, dtype=dtype))))

    in_fp32, in_bf16 = map(load, _READ)
    weights = sum(parameter.numel() for parameter in models[-1].parameters())
    assert in_fp32 - in_bf16 > 1.9 * weights, "two bytes fewer for each"


def test_a_buffer_that_the_checkpoint_holds_is_not_rounded(tmp_path: Path) -> None:
    sizes = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = transformers.Glm4MoeConfig(
        **sizes, vocab_size=64, n_routed_experts=4, moe_intermediate_size=16, num_experts_per_tok=2, head_dim=16,
        first_k_dense_replace=1, num_key_value_heads=1, tie_word_embeddings=False,
    )  # fmt: skip
    model = transformers.Glm4MoeForCausalLM(config)
    bias = "model.layers.1.mlp.gate.e_score_correction_bias"
    model.get_buffer(bias).fill_(0.1)  # no number of bf16
    model.save_pretrained(tmp_path / "glm")
    spec = language(family="glm4_moe", checkpoint="path:glm", config={}, width=WIDTH)
    read = build_language(spec, 64, 7, tmp_path, dtype=torch.bfloat16)
    assert torch.equal(read.get_buffer(bias), torch.full((4,), 0.1))


_READ = (torch.float32, torch.bfloat16)


def _cast(model: torch.nn.Module) -> torch.nn.Module:
    return broadcast_modules(lambda: {"language": model}, torch.bfloat16, CPU)["language"]
