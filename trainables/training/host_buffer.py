"""Copy a state out of the device into host memory that is taken once and used again, while the device goes on."""

from __future__ import annotations

import torch

from trainables.training.state_files import StateContent

BLOCK_BYTES = 1 << 26
"""Of a piece of host memory. torch rounds page-locked memory up to a power of two: a state of 10 GB in one piece would
take 16 GB."""


class HostBuffer:
    """Host memory for the tensors of one state. A second copy replaces the first.

    Args:
        is_pinned: whether the memory is page-locked, as a copy out of a GPU at the speed of the bus needs it.
    """

    def __init__(self, is_pinned: bool) -> None:
        self._is_pinned = is_pinned
        self._blocks: list[torch.Tensor] = []

    def reserve(self, size: int) -> None:
        """Take the memory for a copy, unless it is here.

        Args:
            size: of the tensors (`StateContent.size`), in bytes.

        Raises:
            RuntimeError: the host does not give it (`is_out_of_memory`); nothing is kept.
        """
        sizes = [BLOCK_BYTES] * (size // BLOCK_BYTES) + [size % BLOCK_BYTES] * (size % BLOCK_BYTES > 0)
        if sizes == [block.numel() for block in self._blocks]:
            return
        self.release()
        try:
            for block_size in sizes:
                self._blocks.append(torch.empty(block_size, dtype=torch.uint8, pin_memory=self._is_pinned))
        except RuntimeError:
            self.release()
            raise

    def copy(self, content: StateContent) -> StateContent:
        """Copy the tensors of a file's content here; returns the same content, of which nothing changes any more.

        Raises:
            RuntimeError: as `reserve`, or the device has no memory to lay a tensor out in one piece.
        """
        self.reserve(content.size)
        end = 0
        for tensor in content.tensors:
            source = tensor.contiguous().view(-1).view(torch.uint8)
            copied = 0
            while copied < source.numel():
                block, start = divmod(end, BLOCK_BYTES)
                size = min(BLOCK_BYTES - start, source.numel() - copied)
                target = self._blocks[block][start : start + size]
                target.copy_(source[copied : copied + size], non_blocking=True)
                copied, end = copied + size, end + size
        if any(tensor.is_cuda for tensor in content.tensors):
            torch.cuda.current_stream().synchronize()
        return StateContent(content.header, tuple(self._blocks))

    def release(self) -> None:
        """Free the memory."""
        self._blocks = []
