"""Build torch's optimizers over the trained weights of a model."""

from __future__ import annotations

from typing import Any, assert_never

import torch
from torch import nn

from search_spaces.spec import OptimizerSpec


def make_optimizer(model: nn.Module, optimizer: OptimizerSpec, fused: bool = False) -> torch.optim.Optimizer:
    """Build a torch optimizer over the parameters that require gradients.

    There is one parameter group for each module and for its weights with and without weight decay: biases and
    one-dimensional weights have none.

    Args:
        model: model whose direct children are the modules of `optimizer.lr_scale`.
        optimizer: specification of the optimizer.
        fused: whether a group is updated by one kernel: for stages on a GPU, also where weights are offloaded to the
            host (six times as fast as torch's other loops there). It rounds in another order.
    """
    groups: list[dict[str, Any]] = []
    for name, part in model.named_children():
        lr = optimizer.lr * optimizer.lr_scale.get(name, 1.0)  # type: ignore[call-overload]
        trained = [p for p in part.parameters() if p.requires_grad]
        decays = {id(p) for key, p in part.named_parameters() if _rank(p) > 1 and not key.endswith(".bias")}
        for decay, chosen in (
            (optimizer.weight_decay, [p for p in trained if id(p) in decays]),
            (0.0, [p for p in trained if id(p) not in decays]),
        ):
            if chosen:
                groups.append({"params": chosen, "lr": lr, "weight_decay": decay})
    match optimizer.kind:
        case "adamw":
            return torch.optim.AdamW(groups, lr=optimizer.lr, betas=optimizer.betas, eps=optimizer.eps, fused=fused)
        case "sgd":
            return torch.optim.SGD(groups, lr=optimizer.lr, momentum=optimizer.momentum)
        case _:
            assert_never(optimizer.kind)


def _rank(parameter: nn.Parameter) -> int:
    """Count the dimensions of a parameter; for a partition of ZeRO 3, those of the whole parameter."""
    return len(getattr(parameter, "ds_shape", parameter.shape))
