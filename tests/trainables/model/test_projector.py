"""Claims about projectors: every kind is built as its design says, and has the published numbers of parameters."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from search_spaces.projectors import LayerKind, ProjectorKind, projector_design
from search_spaces.spec import ProjectorSpec
from tests.support.saved_tensors import saved_bytes
from trainables.model import projector_layers
from trainables.model.projector import build_projector


def _every_projector() -> list[ProjectorSpec]:
    """Every kind at its least, its default and, where it may be so deep, at four linear layers."""
    designs = {kind: projector_design(kind) for kind in get_args(ProjectorKind)}
    return [
        ProjectorSpec(kind=kind, depth=depth)
        for kind, design in designs.items()
        for depth in sorted({design.least, design.default, design.most or 4})
    ]


@pytest.mark.parametrize("spec", _every_projector(), ids=str)
def test_every_kind_is_built_as_its_design_says(spec: ProjectorSpec) -> None:
    """Shape of the output, parameters, operations and what the backward pass keeps, against torch's own counts."""
    width_in, width_out, tokens = 96, 64, 5
    layers = spec.stack(width_in, width_out)
    projector = build_projector(spec, width_in, width_out, seed=7)
    features = torch.randn(2, tokens, width_in, requires_grad=True)
    with FlopCounterMode(display=False) as counted:
        assert projector(features).shape == (2, tokens, width_out)
    biases = sum(layer.bias.numel() for layer in projector.modules() if isinstance(layer, nn.Linear))
    assert sum(weight.numel() for weight in projector.parameters()) == sum(layer.parameters for layer in layers)
    assert counted.get_total_flops() == 2 * tokens * (sum(layer.operations for layer in layers) - 2 * biases)
    kept = saved_bytes(lambda: projector(features), projector.parameters())
    assert kept == 4 * 2 * tokens * sum(layer.saved for layer in layers)


def test_layers_are_of_the_kinds_that_designs_name() -> None:
    assert get_args(projector_layers.LayerKind) == get_args(LayerKind)


def _shapes(projector: nn.Module) -> list[tuple[int, ...]]:
    """(inputs, outputs) of every linear layer, in order."""
    return [(layer.in_features, layer.out_features) for layer in projector.modules() if isinstance(layer, nn.Linear)]


@pytest.mark.parametrize(
    ("kind", "depth", "shapes"),
    [
        ("linear", None, [(8, 6)]),
        ("gelu-mlp", None, [(8, 6), (6, 6)]),
        ("gelu-mlp", 4, [(8, 6), (6, 6), (6, 6), (6, 6)]),
        ("fused-gelu-mlp", 2, [(8, 32), (32, 6)]),
        ("fused-gelu-mlp", None, [(8, 32), (32, 6), (6, 6)]),
        ("fused-gelu-mlp", 4, [(8, 32), (32, 6), (6, 6), (6, 6)]),
    ],
)
def test_layers_are_those_of_the_kind_and_depth(kind: str, depth: int | None, shapes: list[tuple[int, ...]]) -> None:
    spec = ProjectorSpec.model_validate({"kind": kind, "depth": depth})
    projector = build_projector(spec, 8, 6, seed=7)
    assert _shapes(projector) == shapes
    assert spec.layers == len(shapes)
    if len(shapes) > 1:
        assert isinstance(projector, nn.Sequential)
        assert [type(layer) for layer in projector] == [nn.Linear, *[nn.GELU, nn.Linear] * (len(shapes) - 1)]


@pytest.mark.parametrize(
    ("kind", "width", "parameters"),
    [
        ("linear", 1024, 4_198_400),
        ("gelu-mlp", 1024, 20_979_712),
        ("gelu-mlp", 1152, 21_504_000),
        ("fused-gelu-mlp", 2048, 67_125_248),
        ("fused-gelu-mlp", 2176, 71_385_600),
    ],
)
def test_parameters_at_7b_are_the_published_ones(kind: str, width: int, parameters: int) -> None:
    """Prismatic VLMs, prismatic/util/nn_utils.py, at a language model's width of 4096: 21.0 M, 71.4 M, ..."""
    with torch.device("meta"):
        projector = build_projector(ProjectorSpec.model_validate({"kind": kind}), width, 4096, seed=7)
    assert sum(weight.numel() for weight in projector.parameters()) == parameters


def test_weights_follow_the_seed_alone() -> None:
    def weights(seed: int) -> torch.Tensor:
        return torch.cat(
            [weight.flatten() for weight in build_projector(ProjectorSpec(kind="gelu-mlp"), 8, 6, seed).parameters()]
        )

    first = weights(7)
    torch.manual_seed(3)
    assert torch.equal(weights(7), first)
    assert not torch.equal(weights(8), first)
