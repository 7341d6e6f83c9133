"""Compile the layers of a language model while a stage trains (`resources.compile`).

Each layer is compiled by itself, in place: modules, names of parameters, adapters and frozen parts stay as they are,
and layers of one form share their compiled code. Sizes of batches are symbols in it, so that other lengths do not
compile it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from search_spaces.errors import InputError
from search_spaces.worker_contract import Device
from trainables.compile_tools import TOOLS_WAY_OUT, missing_compile_tools
from trainables.model.dropout import RecordDropout


@contextmanager
def compiling(is_wanted: bool, device: Device) -> Iterator[None]:
    """Allow layers to be compiled within the context; after it nothing of them is left in the process.

    Args:
        is_wanted: `resources.compile`; else nothing is looked at or changed.
        device: that the layers compute on.

    Raises:
        InputError: this machine has not what torch needs to compile.
    """
    if not is_wanted:
        yield
        return
    missing = missing_compile_tools(uses_gpus=device == "cuda")
    if missing:
        raise InputError(
            f"compile needs {' and '.join(missing)}, which this worker's machine lacks",
            key="resources.compile",
            way_out=TOOLS_WAY_OUT,
        )
    try:
        yield
    finally:
        _forget()


def compile_layers(language: nn.Module) -> None:
    """Let every layer of a language model be compiled when it first computes, for any lengths and sizes of batches.

    Raises:
        InputError: the model has no layers of transformers' kind, or they have dropout, whose draws differ by layer.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [module for module in language.modules() if isinstance(module, GradientCheckpointingLayer)]
    if not layers:
        raise InputError(
            f"compile needs a language model whose layers transformers marks, but {type(language).__name__} has none",
            key="resources.compile",
            way_out="Leave `compile` out.",
        )
    if any(isinstance(module, RecordDropout) and module.p for module in language.modules()):
        raise InputError(
            f"compile needs layers without dropout, but {type(language).__name__} has some",
            key="resources.compile",
            way_out="Leave `compile` out.",
        )
    for layer in layers:
        layer.compile(dynamic=True)


def _forget() -> None:
    """Remove compiled code, what it was compiled for, and the processes that have compiled it."""
    from torch._inductor.async_compile import shutdown_compile_workers

    torch._dynamo.reset()
    shutdown_compile_workers()
