"""Build modules without memory for their parameters, where all of them are read from storage next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def empty_parameters() -> Iterator[None]:
    """Build modules in a block whose parameters have shapes but no values; their buffers have both.

    Tied parameters stay tied. Under `torch.device("meta")` buffers would have no values either, and those that no file
    holds, as rotary tables, would be lost.
    """
    register = nn.Module.register_parameter

    def register_empty(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if parameter is not None and not parameter.is_meta:
            parameter = nn.Parameter(parameter.to("meta"), parameter.requires_grad)
        register(module, name, parameter)

    nn.Module.register_parameter = register_empty  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        nn.Module.register_parameter = register  # type: ignore[method-assign]
