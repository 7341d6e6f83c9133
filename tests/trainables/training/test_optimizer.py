"""Claims about the optimizers that stages train with."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn

from search_spaces.spec import OptimizerKind, OptimizerSpec
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


def test_no_two_kinds_of_optimizer_are_one() -> None:
    classes = {type(_stepped(OptimizerSpec(kind=kind, lr=0.1))[0]) for kind in get_args(OptimizerKind)}
    assert len(classes) == len(get_args(OptimizerKind))
