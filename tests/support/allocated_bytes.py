"""Bytes that tensors take on the CPU at the peak of a computation, with everything that autograd does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def peak_bytes(run: Callable[[], object]) -> int:
    """Return the bytes of tensors that `run` makes, at the moment when most of them are alive, each storage once.

    What is allocated within one operation of torch, and given back at its end, is not seen.
    """
    with _LiveStorages() as live:
        run()
    return live.peak


class _LiveStorages(TorchDispatchMode):
    """Storages that operations have returned and that are alive: looked at after every operation."""

    def __init__(self) -> None:
        super().__init__()
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self._before: dict[int, StorageWeakRef] = {}
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._forget()  # a new storage may have the number of one that is gone
        given = dict(map(_identity, _tensors((args, kwargs))))
        self._before |= {
            id_: StorageWeakRef(given[id_]) for id_ in given.keys() - self._alive.keys() - self._before.keys()
        }
        result = func(*args, **(kwargs or {}))
        self._forget()
        for id_, storage in map(_identity, _tensors(result)):
            if id_ not in self._before:
                self._alive[id_] = (StorageWeakRef(storage), storage.nbytes())
        self.peak = max(self.peak, sum(size for _, size in self._alive.values()))
        return result

    def _forget(self) -> None:
        """Leave out the storages that are alive no longer."""
        self._alive = {id_: entry for id_, entry in self._alive.items() if not entry[0].expired()}
        self._before = {id_: reference for id_, reference in self._before.items() if not reference.expired()}


def _tensors(values: Any) -> list[torch.Tensor]:
    """List the tensors that take memory."""
    return [value for value in tree_leaves(values) if isinstance(value, torch.Tensor) and not value.is_meta]


def _identity(tensor: torch.Tensor) -> tuple[int, torch.UntypedStorage]:
    storage = tensor.untyped_storage()
    return storage._cdata, storage
