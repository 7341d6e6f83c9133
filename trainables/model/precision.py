"""Precisions as torch has them."""

from __future__ import annotations

from typing import assert_never

import torch

from search_spaces.spec import Precision


def dtype_of(precision: Precision) -> torch.dtype:
    """Return the type of weights, gradients and activations.

    In bf16 DeepSpeed keeps masters of trained weights in fp32 beside them.
    """
    match precision:
        case "fp32":
            return torch.float32
        case "bf16":
            return torch.bfloat16
        case _:
            assert_never(precision)
