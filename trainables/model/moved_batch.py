"""Move a batch to the device that computes with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class MovedBatch:
    """Batch whose fields are tensors, or None."""

    def pinned(self) -> Self:
        """Copy the batch to page-locked memory, from which a GPU copies asynchronously."""
        return replace(self, **{name: part.pin_memory() for name, part in self._parts().items()})

    def to(self, device: torch.device | str, dtype: torch.dtype) -> Self:
        """Copy the batch to a device, images and features in the model's precision `dtype`.

        They are cast there: torch casts on the host first, into memory that is not page-locked.
        """
        there = {name: part.to(device, non_blocking=True) for name, part in self._parts().items()}
        return replace(
            self, **{name: part.to(dtype) if part.is_floating_point() else part for name, part in there.items()}
        )

    def _parts(self) -> dict[str, Tensor]:
        return {name: part for name, part in vars(self).items() if part is not None}
