"""Claims about the optimizers that stages train with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast, get_args

import pytest
import torch
from torch import nn

from search_spaces.resource_spec import ResourceSpec
from search_spaces.spec import OptimizerKind, OptimizerSpec
from search_spaces.worker_contract import Device
from tests.support.tiny_specs import stage
from trainables.model.vlm import VLM
from trainables.training import engine
from trainables.training.deepspeed_config import deepspeed_config
from trainables.training.optimizer import make_optimizer


def _stepped(spec: OptimizerSpec) -> tuple[torch.optim.Optimizer, int]:
    """An optimizer after its first step, and the number of weights it trains."""
    model = nn.ModuleDict({"projector": nn.Linear(3, 2)})
    optimizer = make_optimizer(model, spec)
    sum(parameter.sum() for parameter in model.parameters()).backward()
    optimizer.step()
    return optimizer, sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("kind", get_args(OptimizerKind))
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_every_kind_of_optimizer_keeps_the_states_that_memory_counts(kind: OptimizerKind, momentum: float) -> None:
    spec = OptimizerSpec(kind=kind, lr=0.1, momentum=momentum)
    optimizer, weights = _stepped(spec)
    kept = [value for state in optimizer.state.values() for value in state.values() if isinstance(value, torch.Tensor)]
    assert sum(value.numel() for value in kept if value.dim()) == spec.states * weights


def _weights_after_steps(is_fused: bool) -> torch.Tensor:
    torch.manual_seed(0)
    model = nn.ModuleDict({"projector": nn.Linear(30, 20)})
    optimizer = make_optimizer(model, OptimizerSpec(kind="adamw", lr=0.1, weight_decay=0.1), fused=is_fused)
    assert {group["fused"] for group in optimizer.param_groups} == {is_fused}
    for step in range(5):
        optimizer.zero_grad()
        (model["projector"](torch.full((4, 30), step + 1.0)) ** 2).sum().backward()
        optimizer.step()
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_adamw_in_one_kernel_is_adamw_up_to_rounding() -> None:
    torch.testing.assert_close(_weights_after_steps(is_fused=True), _weights_after_steps(is_fused=False))


@pytest.mark.parametrize(("device", "is_fused"), [("cuda", True), ("cpu", False)])
def test_stages_on_gpus_step_by_one_kernel_wherever_their_optimizer_lives(
    device: Device, is_fused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine on a GPU cannot be built here: it is stopped where it makes its optimizer, offloaded or not."""
    asked: list[bool] = []

    def stop(model: nn.Module, optimizer: OptimizerSpec, fused: bool) -> None:
        asked.append(fused)
        raise InterruptedError

    monkeypatch.setattr(engine, "make_optimizer", stop)
    model = cast("VLM", SimpleNamespace(vision=None))
    for resources in (ResourceSpec(zero=2), ResourceSpec(zero=2, offload="optimizer")):
        config = deepspeed_config(stage(), resources, device)
        with pytest.raises(InterruptedError):
            engine.Engine(model, stage(), 1, config, device)
    assert asked == [is_fused, is_fused]


def test_no_two_kinds_of_optimizer_are_one() -> None:
    classes = {type(_stepped(OptimizerSpec(kind=kind, lr=0.1))[0]) for kind in get_args(OptimizerKind)}
    assert len(classes) == len(get_args(OptimizerKind))
