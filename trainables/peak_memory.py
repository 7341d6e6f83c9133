"""Measure the most memory that a piece of work takes on its device."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

import psutil
import torch

from search_spaces.worker_contract import Device

_RESET = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


class PeakMemory:
    """Peak of memory since this object was made.

    On a GPU that is what torch has reserved, on a CPU by how much the process grew.

    Args:
        device: of the worker.
    """

    def __init__(self, device: Device) -> None:
        self._device, self._before = device, 0
        match device:
            case "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            case "cpu":
                self._before = psutil.Process().memory_info().rss
                try:
                    _RESET.write_text("5")  # the kernel's high-water mark of this process starts anew
                except OSError:
                    self._before = -1
            case _:
                assert_never(device)

    def read_allocated(self) -> int | None:
        """Return the peak of what tensors held of it, in bytes; None on a CPU."""
        match self._device:
            case "cuda":
                return torch.cuda.max_memory_allocated()
            case "cpu":
                return None
            case _:
                assert_never(self._device)

    def read(self) -> int | None:
        """Return the peak in bytes; None where the system does not tell it."""
        match self._device:
            case "cuda":
                return torch.cuda.max_memory_reserved()
            case "cpu":
                return None if self._before < 0 else max(0, _high_water() - self._before)
            case _:
                assert_never(self._device)


def _high_water() -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])
