"""The loss in pieces has the bits of torch's own, in the memory that the plan counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cluster.memory import logit_bytes
from search_spaces.resources import LOGITS_AT_ONCE
from tests.support.allocated_bytes import peak_bytes
from tests.support.sized_stages import SIZE_7B, sized_stage
from trainables.model.cross_entropy import summed_cross_entropy

WIDTH = 16
Loss = Callable[[Tensor, Tensor], Tensor]


def _plain(logits_NW: Tensor, targets_N: Tensor) -> Tensor:
    return F.cross_entropy(logits_NW.float(), targets_N, reduction="sum")


def _loss_and_gradients(loss: Loss, hidden_ND: Tensor, weights_WD: Tensor, targets_N: Tensor) -> list[Tensor]:
    leaves = [hidden_ND.clone().requires_grad_(), weights_WD.clone().requires_grad_()]
    value = loss(leaves[0] @ leaves[1].T, targets_N)
    (value * (2 / 7)).backward()
    return [value.detach(), *(leaf.grad for leaf in leaves if leaf.grad is not None)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("tokens", "words"), [(0, 7), (1, 7), (5, 40), (301, 41), (777, 1001)])
@pytest.mark.parametrize("at_once", [1, 5_000, LOGITS_AT_ONCE])
def test_loss_and_gradients_have_the_bits_of_torchs_own(
    dtype: torch.dtype, tokens: int, words: int, at_once: int
) -> None:
    torch.manual_seed(tokens)
    hidden_ND, weights_WD = torch.randn(tokens, WIDTH, dtype=dtype), torch.randn(words, WIDTH, dtype=dtype)
    targets_N = torch.randint(0, words, (tokens,))
    own = _loss_and_gradients(_plain, hidden_ND, weights_WD, targets_N)
    pieces = _loss_and_gradients(
        lambda logits, targets: summed_cross_entropy(logits, targets, at_once), hidden_ND, weights_WD, targets_N
    )
    assert len(own) == len(pieces) == 3
    assert all(torch.equal(a, b) for a, b in zip(own, pieces, strict=True))


def test_a_second_backward_pass_is_refused_as_the_logits_are_gone() -> None:
    logits_NW = torch.randn(3, 5, requires_grad=True) * 1.0
    loss = summed_cross_entropy(logits_NW, torch.zeros(3, dtype=torch.long))
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("tokens", [256, 1536])
def test_the_plan_counts_what_logits_take_at_the_peak(precision: str, tokens: int) -> None:
    """In the plan a text of `tokens` targets, at the vocabulary of a 7B; here 256 of them are one piece's half."""
    stage, words = sized_stage(precision=precision), SIZE_7B.language.rows
    dtype = torch.float32 if precision == "fp32" else torch.bfloat16
    hidden_ND, weights_WD = torch.randn(tokens, 2, dtype=dtype), torch.randn(words, 2, dtype=dtype)
    targets_N = torch.randint(0, words, (tokens,))
    peak = peak_bytes(lambda: _loss_and_gradients(summed_cross_entropy, hidden_ND, weights_WD, targets_N))
    assert peak == pytest.approx(logit_bytes(SIZE_7B, stage, 1, tokens), rel=0.02)
