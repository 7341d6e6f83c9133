"""Build the layers of a projector as torch modules.

Imports nothing of this project, so that an exported model carries it as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, assert_never

from torch import nn

LayerKind = Literal["linear", "gelu"]


def stack(layers: Iterable[tuple[LayerKind, int, int]]) -> nn.Module:
    """Build the layers of a projector, one after the other; a single layer is itself the module.

    Args:
        layers: (kind, width in, width out) of each.
    """
    modules = [_layer(*layer) for layer in layers]
    return modules[0] if len(modules) == 1 else nn.Sequential(*modules)


def _layer(kind: LayerKind, width_in: int, width_out: int) -> nn.Module:
    match kind:
        case "linear":
            return nn.Linear(width_in, width_out)
        case "gelu":
            return nn.GELU()
        case _:
            assert_never(kind)
