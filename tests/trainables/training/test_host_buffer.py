"""A copy of a state in host memory makes the file of the state, whatever happens to the state meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from trainables.training import host_buffer
from trainables.training.host_buffer import HostBuffer
from trainables.training.state_files import content_of

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8)


def _state() -> dict[str, Any]:
    state: dict[str, Any] = {str(dtype): (torch.randn(3, 5) * 100).to(dtype) for dtype in DTYPES}
    state |= {"bool": torch.tensor([True, False]), "empty": torch.zeros(0, 3), "scalar": torch.tensor(2.5)}
    state["part of another"] = torch.arange(12.0).reshape(3, 4).t()[1:]
    state["large"] = torch.randn(1000)
    return {"tensors": state, "losses": [0.5, 0.25]}


@pytest.mark.parametrize("block_bytes", [7, 64, 1 << 26])
def test_a_copy_makes_the_same_file_after_the_state_has_changed(
    block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_buffer, "BLOCK_BYTES", block_bytes)
    state = _state()
    content = content_of(state)
    before = content.digest()
    copy = HostBuffer(is_pinned=False).copy(content)
    for tensor in state["tensors"].values():
        tensor.zero_()
    state["losses"].append(0.1)
    assert copy.digest() == before
    assert content.digest() != before


def test_a_second_copy_takes_the_memory_of_the_first_and_one_of_another_size_takes_its_own() -> None:
    buffer = HostBuffer(is_pinned=False)
    first, second, other = (buffer.copy(content_of({"x": torch.ones(size)})) for size in (300, 300, 200))
    assert [block.data_ptr() for block in first.tensors] == [block.data_ptr() for block in second.tensors]
    assert [block.numel() for block in other.tensors] == [800]


def test_a_host_without_memory_for_it_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_buffer, "BLOCK_BYTES", 512)
    empty, taken = torch.empty, []

    def only_one(size: int, **options: Any) -> torch.Tensor:
        if taken:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        taken.append(size)
        return empty(size, **options)

    buffer = HostBuffer(is_pinned=False)
    with monkeypatch.context() as full:
        full.setattr(torch, "empty", only_one)
        with pytest.raises(RuntimeError, match="can't allocate"):
            buffer.copy(content_of({"x": torch.ones(300)}))
    assert taken == [512]
    assert buffer.copy(content_of({})).tensors == ()
