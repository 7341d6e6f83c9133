"""Compute the cross entropy of target tokens without the logits in fp32 of all of them at once.

The logits themselves are there in the precision of the model, once: their matrix product, and that of their gradient
with the weights, stay whole, so that no sum of a gradient is cut into pieces. Everything in fp32 is computed some rows
at a time, forward and again backward, by the operations of `torch.nn.functional.cross_entropy`: results are its own to
the last bit on a CPU. The gradient takes the memory of the logits. `cluster.memory.logit_bytes` counts what is left.

Shapes: N target tokens, W words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from search_spaces.resources import LOGITS_AT_ONCE

_LOG_SOFTMAX_BACKWARD = torch.ops.aten._log_softmax_backward_data
_NLL_BACKWARD = torch.ops.aten.nll_loss_backward
_SUM, _NO_IGNORED = 2, -100
"""Of `nll_loss_backward`: the code of its reduction, and the id of tokens without a loss, which no target has."""


def summed_cross_entropy(logits_NW: Tensor, targets_N: Tensor, logits_at_once: int = LOGITS_AT_ONCE) -> Tensor:
    """Compute the sum of the cross entropy of target tokens in fp32.

    Args:
        logits_NW: in any precision, computed for this call alone: the backward pass overwrites them. A second one
            through the same graph raises RuntimeError.
        targets_N: ids of the target tokens.
        logits_at_once: how many logits are in fp32 at a time, at least those of one token.
    """
    return _SummedCrossEntropy.apply(logits_NW, targets_N, logits_at_once)  # type: ignore[no-any-return]


class _SummedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits_NW: Tensor, targets_N: Tensor, logits_at_once: int) -> Tensor:
        ctx.save_for_backward(logits_NW, targets_N)
        ctx.logits_at_once = logits_at_once
        log_probs_N1 = logits_NW.new_empty(len(targets_N), 1, dtype=torch.float32)
        for rows in _pieces(logits_NW, logits_at_once):
            log_probs_N1[rows] = _log_probs(logits_NW[rows]).gather(1, targets_N[rows, None])
        # as the only word of a vocabulary: the losses are summed in the order of `cross_entropy`
        return F.nll_loss(log_probs_N1, torch.zeros_like(targets_N), reduction="sum")

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        saved_NW, targets_N = ctx.saved_tensors
        logits_NW = saved_NW.detach()
        for rows in _pieces(logits_NW, ctx.logits_at_once):
            logits_NW[rows] = _gradient(logits_NW[rows], targets_N[rows], gradient)
        return logits_NW, None, None


def _log_probs(logits_NW: Tensor) -> Tensor:
    return F.log_softmax(logits_NW.float(), dim=1)


def _gradient(logits_NW: Tensor, targets_N: Tensor, gradient: Tensor) -> Tensor:
    """Compute the gradient of the logits in fp32 from that of the summed cross entropy."""
    log_probs_NW = _log_probs(logits_NW)
    of_log_probs_NW = _NLL_BACKWARD(gradient, log_probs_NW, targets_N, None, _SUM, _NO_IGNORED, gradient)
    return _LOG_SOFTMAX_BACKWARD(of_log_probs_NW, log_probs_NW, 1, torch.float32)  # type: ignore[no-any-return]


def _pieces(logits_NW: Tensor, logits_at_once: int) -> Iterator[slice]:
    """Cut the rows into pieces of so many logits."""
    tokens, words = logits_NW.shape
    step = max(1, logits_at_once // words)
    return (slice(start, start + step) for start in range(0, tokens, step))
