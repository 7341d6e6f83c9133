"""Ray Train's configuration for workers that join a process group of their own. Imports torch, through Ray."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from ray.train.backend import Backend
from ray.train.torch import TorchConfig


class OwnProcessGroup(TorchConfig):  # type: ignore[misc]  # ray has no types
    """Has Ray Train neither join a process group nor choose devices: the workers' code does both, as in every launcher.

    Train's own group would end waits after half an hour, and would share all GPUs of a host among its workers.
    """

    @property
    def backend_cls(self) -> Any:
        return Backend

    @property
    def train_func_context(self) -> Any:
        return nullcontext
