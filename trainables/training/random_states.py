"""Read and restore the states of all random generators of a process, as plain values."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


def random_states() -> dict[str, Any]:
    """Read the states of the generators of torch, CUDA, NumPy and Python."""
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    return {
        "torch": torch.get_rng_state().tolist(),
        "cuda": [state.tolist() for state in torch.cuda.get_rng_state_all()],
        "numpy": (kind, keys.tolist(), position, has_gauss, gauss),  # type: ignore[union-attr]
        "python": random.getstate(),
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Restore what `random_states` has read; the generators of GPUs where there are as many of them."""
    torch.set_rng_state(torch.tensor(states["torch"], dtype=torch.uint8))
    if len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([torch.tensor(state, dtype=torch.uint8) for state in states["cuda"]])
    np.random.set_state(states["numpy"])
    random.setstate(states["python"])
