"""Map precisions to torch's types."""

from __future__ import annotations

from typing import assert_never

import torch

from search_spaces.spec import Precision


def dtype_of(precision: Precision) -> torch.dtype:
    """Return the type of weights, gradients and activations.

    In bf16 DeepSpeed also keeps master copies of the trained weights in fp32.
    """
    match precision:
        case "fp32":
            return torch.float32
        case "bf16":
            return torch.bfloat16
        case _:
            assert_never(precision)
