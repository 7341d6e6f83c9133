"""Claims about stages that train low-rank adapters in the place of the language model's own weights."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from search_spaces.errors import InputError
from search_spaces.spec import LoraSpec, MixPart, MixSpec, StageSpec
from tests.support.gloo_pair import run_on_two
from tests.support.hub_languages import FAMILIES, hub_language
from tests.support.tiny_specs import SGD, language, source, stage
from tests.support.tiny_trials import is_step, losses, make_task, run
from trainables.model.lora import add_lora, merge_adapters
from trainables.model.vlm import build_modules
from trainables.run_trial import run_trial
from trainables.storage import layout
from trainables.storage.store import LocalStore
from trainables.task import Context, TrialTask
from trainables.training.deepspeed_config import deepspeed_config
from trainables.training.engine import open_engine
from trainables.training.stage_engine import settle_gradients
from trainables.trial_data import StageData, TrialData

LORA = LoraSpec(rank=4, alpha=8, dropout=0.2)
MIXED = MixSpec(name="mixed", parts=(MixPart(source=source(tags="color,text-only,shape")),))


def _tuned(**changes: Any) -> StageSpec:
    return stage(**({"lora": LORA, "optimizer": SGD, "data": MIXED} | changes))


def _weights(task: TrialTask, index: int = -1, module: str = "language") -> dict[str, Tensor]:
    folder = Path(task.storage) / layout.stage_folder(task.stages[index].key)
    return load_file(folder / f"{module}.safetensors")


def _gradients(task: TrialTask, micro: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss and gradients of all trained weights in the first global batch, added up over micro-batches of a size."""
    data = TrialData(task, LocalStore(Path(task.storage)))
    spec = task.trial.stages[0]
    model = build_modules(task.trial, data.tokenizer, data.root, with_vision=True)
    assert spec.lora is not None
    add_lora(model.language, spec.lora, 7, spec.name, model.draws)
    settle_gradients(model, spec)
    given = StageData(data, task, spec, use_features=False).step(0, 0, 1, micro)
    total = torch.zeros(())
    for batch in given.batches:
        loss = model(batch) / given.targets
        loss.backward()
        total += loss.detach()
    return total, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("family", ["llama", "phi"])
def test_loss_and_gradients_do_not_depend_on_how_a_global_batch_is_cut(
    family: str, checkpointing: bool, tmp_path: Path
) -> None:
    """Phi has dropout of its own (0.1) besides that of its adapters."""
    spec = hub_language(tmp_path, family, max_length=96)
    task = make_task(
        tmp_path, language_spec=spec, stages=(_tuned(activation_checkpointing=checkpointing),), cached=False
    )
    loss, gradients = _gradients(task, 8)
    for micro in (1, 2, 4):
        accumulated_loss, accumulated = _gradients(task, micro)
        torch.testing.assert_close(accumulated_loss, loss, rtol=1e-6, atol=0)
        assert accumulated.keys() == gradients.keys()
        for name, gradient in gradients.items():
            torch.testing.assert_close(accumulated[name], gradient, rtol=1e-4, atol=1e-6)


def test_dropout_is_on(tmp_path: Path) -> None:
    task = make_task(tmp_path, stages=(_tuned(),), cached=False)
    dry = make_task(tmp_path, stages=(_tuned(lora=LORA.model_copy(update={"dropout": 0.0})),), cached=False)
    (_, with_dropout), (_, without) = _gradients(task, 8), _gradients(dry, 8)
    key = next(name for name in without if ".lora_B." in name)
    assert not torch.allclose(with_dropout[key], without[key], rtol=1e-2)


@pytest.mark.parametrize("zero", [2, 3])
def test_two_workers_train_adapters_with_dropout_to_the_weights_of_one(zero: int, tmp_path: Path) -> None:
    alone = make_task(tmp_path / "one", stages=(_tuned(max_steps=8),))
    expected = losses(run(alone))
    both = make_task(tmp_path / "two", stages=(_tuned(max_steps=8),), workers=2, zero=zero, micro_batch=2)
    (curve,) = run_on_two([both])
    torch.testing.assert_close(torch.tensor(curve), torch.tensor(expected), rtol=1e-5, atol=0)
    single, double = _weights(alone), _weights(both)
    assert max(float((single[key] - double[key]).abs().max()) for key in single) <= 1e-6


@pytest.mark.parametrize("zero", [0, 3])
def test_a_stopped_stage_of_adapters_goes_on_to_the_bytes_of_an_undisturbed_one(zero: int, tmp_path: Path) -> None:
    options: dict[str, Any] = {"stages": (_tuned(),), "zero": zero, "checkpoint_every_steps": 2}
    undisturbed = make_task(tmp_path / "whole", **options)
    expected = losses(run(undisturbed))
    task = make_task(tmp_path / "cut", **options)
    loop = run_trial(task, Context())
    first = list(takewhile(lambda progress: not is_step(progress, 5), loop))
    loop.close()  # type: ignore[attr-defined]
    assert losses(first) + losses(run(task)) == expected
    whole, cut = _weights(undisturbed), _weights(task)
    assert all(torch.equal(whole[key], cut[key]) for key in whole)


def test_losses_of_zero_0_to_3_agree_at_every_step(tmp_path: Path) -> None:
    curves = [losses(run(make_task(tmp_path / str(zero), stages=(_tuned(),), zero=zero))) for zero in (0, 1, 2, 3)]
    for curve in curves[1:]:
        torch.testing.assert_close(torch.tensor(curve), torch.tensor(curves[0]), rtol=1e-5, atol=0)


def test_only_adapters_change_and_the_stage_hands_on_the_merged_whole_module(tmp_path: Path) -> None:
    task = make_task(tmp_path, stages=(_tuned(lora=LORA.model_copy(update={"targets": ("q_proj", "mlp.up_proj")})),))
    run(task)
    data = TrialData(task, LocalStore(tmp_path))
    start = dict(build_modules(task.trial, data.tokenizer, tmp_path, with_vision=False).language.named_parameters())
    trained = _weights(task)
    assert trained.keys() == start.keys()
    for name, before in start.items():
        change = trained[name] - before.detach()
        if name.endswith(("q_proj.weight", "up_proj.weight")):
            assert 0 < int(torch.linalg.matrix_rank(change, rtol=1e-3)) <= LORA.rank
        else:
            assert float(change.abs().max()) == 0, name


def test_a_later_stage_starts_from_the_merged_weights(tmp_path: Path) -> None:
    stages = (_tuned(name="adapt"), stage("finetune", trains=("projector",), optimizer=SGD))
    task = make_task(tmp_path, stages=stages)
    run(task)
    assert not (tmp_path / layout.stage_folder(task.stages[1].key) / "language.safetensors").exists()
    merged_losses = losses(run(make_task(tmp_path, trial_id="again", stages=stages)))
    assert merged_losses == []
    assert LocalStore(tmp_path).list("evaluations")


def test_merged_weights_give_the_function_of_the_adapters(tmp_path: Path) -> None:
    task = make_task(tmp_path, language_spec=hub_language(tmp_path, "qwen2"))
    data = TrialData(task, LocalStore(tmp_path))
    model, plain = (build_modules(task.trial, data.tokenizer, tmp_path, with_vision=False).eval() for _ in range(2))
    add_lora(model.language, LORA, 7, "finetune", model.draws)
    model.eval()
    inputs = torch.randn(2, 6, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before = plain.language(inputs_embeds=inputs).logits
        torch.testing.assert_close(model.language(inputs_embeds=inputs).logits, before)  # the second matrix is zero
        for name, parameter in model.language.named_parameters():
            if ".lora_B." in name:
                parameter.normal_(generator=torch.Generator().manual_seed(len(name)))
        adapted = model.language(inputs_embeds=inputs).logits
        whole = merge_adapters({name: p.detach() for name, p in model.language.named_parameters()}, LORA)
        own = dict(plain.language.named_parameters())
        assert whole.keys() == own.keys()
        for name, tensor in whole.items():
            own[name].copy_(tensor)
        torch.testing.assert_close(plain.language(inputs_embeds=inputs).logits, adapted, rtol=1e-4, atol=1e-4)
        assert not torch.allclose(adapted, before, rtol=1e-2)


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_train_on_every_family_in_bf16(family: str, tmp_path: Path) -> None:
    tuned = _tuned(precision="bf16", activation_checkpointing=True, max_steps=2)
    task = make_task(tmp_path, language_spec=hub_language(tmp_path, family), stages=(tuned,))
    assert len(losses(run(task))) == 2
    changed = [tensor.dtype for name, tensor in _weights(task).items() if name.endswith("weight")]
    assert torch.float32 in changed  # merged matrices keep what bf16 would round away


def test_adapters_alone_are_in_the_optimizer(tmp_path: Path) -> None:
    task = make_task(tmp_path, stages=(_tuned(trains=("language",)),))
    data = TrialData(task, LocalStore(tmp_path))
    model = build_modules(task.trial, data.tokenizer, tmp_path, with_vision=False)
    spec = task.trial.stages[0]
    assert spec.lora is not None
    run(task)  # makes the process group
    add_lora(model.language, spec.lora, 7, spec.name, model.draws)
    settle_gradients(model, spec)
    config = deepspeed_config(spec, task.stages[0].resources, "cpu")
    with open_engine(model, spec, 6, config, "cpu") as engine:
        groups = engine._engine.optimizer.param_groups
        count = sum(parameter.numel() for group in groups for parameter in group["params"])
    shapes = [(32, 32)] * 4 + [(32, 64)] * 3
    assert count == 2 * sum(LORA.rank * (rows + columns) for rows, columns in shapes)


def test_unknown_targets_name_the_nearest_layer(tmp_path: Path) -> None:
    task = make_task(tmp_path, language_spec=language())
    data = TrialData(task, LocalStore(tmp_path))
    model = build_modules(task.trial, data.tokenizer, tmp_path, with_vision=False)
    with pytest.raises(InputError, match=r"got 'q_prj'\n.*'q_proj'"):
        add_lora(model.language, LORA.model_copy(update={"targets": ("q_prj",)}), 7, "finetune", model.draws)
