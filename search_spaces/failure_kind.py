"""Classify an error that a trial's code, a worker's start or a library has raised."""

from __future__ import annotations

from search_spaces.full_storage import is_full
from search_spaces.out_of_memory import is_out_of_memory
from search_spaces.outcomes import FailureKind


class UnusableGpuError(RuntimeError):
    """The GPU that this process was given cannot be used."""


def failure_kind(error: BaseException) -> FailureKind:
    """Return `memory` for exhausted memory of a device or host, `full` for a full disk, else `error`.

    A GPU that cannot be used is the machine's fault and not the trial's: `lost`, as if the machine were gone.
    """
    if is_out_of_memory(error):
        return "memory"
    if isinstance(error, UnusableGpuError):
        return "lost"
    return "full" if is_full(error) else "error"
