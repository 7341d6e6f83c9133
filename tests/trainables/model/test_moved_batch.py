"""A batch crosses to its device as it lies in memory, and is cast there."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from trainables.model.vlm import Batch

HOST, DEVICE = torch.device("cpu"), torch.device("meta")
"""`meta` stands for a GPU: it has no values, and a copy to it is one."""


class _Copies(TorchDispatchMode):
    """Records the copies between devices and types: where each begins, and its type where it ends."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[torch.device, torch.device, torch.dtype]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._to_copy.default:
            self.seen.append((args[0].device, result.device, result.dtype))
        return result


def _batch() -> Batch:
    ids_BT = torch.zeros(2, 3, dtype=torch.long)
    return Batch(ids_BT, ids_BT.clone(), torch.ones_like(ids_BT), torch.zeros(2, 3, 4, 4))


def test_images_are_copied_in_fp32_and_cast_on_the_device() -> None:
    with _Copies() as copies:
        there = _batch().to(DEVICE, torch.bfloat16)
    assert {part.device for part in vars(there).values() if part is not None} == {DEVICE}
    assert there.image_BCHW is not None
    assert (there.image_BCHW.dtype, there.ids_BT.dtype) == (torch.bfloat16, torch.long)
    from_host = [dtype for begin, _, dtype in copies.seen if begin == HOST]
    assert from_host == [torch.long] * 3 + [torch.float32]
    assert [dtype for begin, _, dtype in copies.seen if begin == DEVICE] == [torch.bfloat16]


def test_every_part_of_a_batch_is_page_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    locked: list[torch.Tensor] = []

    def pin_memory(part: torch.Tensor) -> torch.Tensor:
        locked.append(part)
        return part.clone()

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin_memory)
    batch = _batch()
    pinned = batch.pinned()
    assert len(locked) == 4
    assert all(pinned.__dict__[name] is not part for name, part in vars(batch).items() if part is not None)
    assert pinned.draws_B is None
