"""Damage done to a folder that holds a model's weights in model.safetensors, one way at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 99\n"
WEIGHTS = "model.safetensors"


def _edit(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def drop(folder: Path, name: str) -> None:
    """Leave a tensor out."""
    _edit(folder, lambda tensors: tensors.pop(name))


def rename(folder: Path, name: str) -> None:
    """Append `_old` to the name of a tensor."""
    _edit(folder, lambda tensors: tensors.update({f"{name}_old": tensors.pop(name)}))


def reshape(folder: Path, name: str) -> None:
    """Double a tensor's last dimension."""
    _edit(folder, lambda tensors: tensors.update({name: torch.cat([tensors[name]] * 2, dim=-1)}))


def retype(folder: Path, name: str) -> None:
    """Store a tensor in half the precision."""
    _edit(folder, lambda tensors: tensors.update({name: tensors[name].half()}))


def nudge(folder: Path, name: str) -> None:
    """Change one value of a tensor."""
    _edit(folder, lambda tensors: tensors[name].view(-1)[-1].add_(1.0))


def add(folder: Path, name: str) -> None:
    """Add a tensor under a name that ends with `.extra`."""
    _edit(folder, lambda tensors: tensors.update({f"{name}.extra": torch.ones(2)}))


def cut(folder: Path, name: str) -> None:
    """Cut the file of weights in half."""
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])


def point(folder: Path, name: str) -> None:
    """Replace the file of weights by a Git LFS pointer."""
    (folder / WEIGHTS).write_bytes(POINTER)
