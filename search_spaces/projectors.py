"""Describe the kinds of projectors: layers as data, from which parameters, operations, memory and modules follow.

A new kind is a member of `ProjectorKind` and a case of `projector_design`. If it has a sort of layer that none has yet,
that is a member of `LayerKind`, its cases in `ProjectorLayer`, and one in `trainables/model/projector_layers.py`. mypy
names each of these places, and tests build every kind and compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple, assert_never

ProjectorKind = Literal["linear", "gelu-mlp", "fused-gelu-mlp"]
LayerKind = Literal["linear", "gelu"]


class ProjectorLayer(NamedTuple):
    """Layer of a projector; it acts on every visual token alone."""

    kind: LayerKind
    """`linear` has biases; `gelu` is the exact function, not its approximation by tanh."""
    width_in: int
    width_out: int

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        match self.kind:
            case "linear":
                return self.width_in * self.width_out + self.width_out
            case "gelu":
                return 0
            case _:
                assert_never(self.kind)

    @property
    def operations(self) -> int:
        """Floating-point operations of the forward pass for one token; those of an activation are left out."""
        match self.kind:
            case "linear" | "gelu":
                return 2 * self.parameters
            case _:
                assert_never(self.kind)

    @property
    def saved(self) -> int:
        """Values per token that are kept for the backward pass."""
        match self.kind:
            case "linear" | "gelu":
                return self.width_in
            case _:
                assert_never(self.kind)


@dataclass(frozen=True)
class ProjectorDesign:
    """Design of a kind of projector at the depths that it may have. A depth is a number of linear layers."""

    least: int
    default: int
    most: int | None
    """None: any depth."""
    layers: Callable[[int, int, int], tuple[ProjectorLayer, ...]]
    """(depth, width of features, width of embeddings) -> layers."""


def projector_design(kind: ProjectorKind) -> ProjectorDesign:
    """Return the design of a kind; those of Prismatic VLMs with its defaults (prismatic/util/nn_utils.py)."""
    match kind:
        case "linear":
            return _LINEAR
        case "gelu-mlp":
            return _GELU_MLP
        case "fused-gelu-mlp":
            return _FUSED_GELU_MLP
        case _:
            assert_never(kind)


def _linear(depth: int, width_in: int, width_out: int) -> tuple[ProjectorLayer, ...]:
    return (ProjectorLayer("linear", width_in, width_out),)


def _gelu_mlp(depth: int, width_in: int, width_out: int) -> tuple[ProjectorLayer, ...]:
    return _with_gelus([width_in, *[width_out] * depth])


def _fused_gelu_mlp(depth: int, width_in: int, width_out: int) -> tuple[ProjectorLayer, ...]:
    return _with_gelus([width_in, 4 * width_in, *[width_out] * (depth - 1)])


def _with_gelus(widths: Sequence[int]) -> tuple[ProjectorLayer, ...]:
    """Return linear layers between the given widths, with a GELU between each two."""
    layers: list[ProjectorLayer] = []
    for inner, outer in pairwise(widths):
        layers += [ProjectorLayer("gelu", inner, inner), ProjectorLayer("linear", inner, outer)]
    return tuple(layers[1:])


_LINEAR = ProjectorDesign(least=1, default=1, most=1, layers=_linear)
_GELU_MLP = ProjectorDesign(least=2, default=2, most=None, layers=_gelu_mlp)
_FUSED_GELU_MLP = ProjectorDesign(least=2, default=3, most=None, layers=_fused_gelu_mlp)
