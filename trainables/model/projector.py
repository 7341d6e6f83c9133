"""Projectors: from feature width to embedding width, as in Prismatic VLMs (prismatic/util/nn_utils.py)."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from search_spaces.spec import ProjectorSpec
from trainables.model.seeding import seeded


def build_projector(projector: ProjectorSpec, width_in: int, width_out: int, seed: int) -> nn.Module:
    """A projector with weights drawn from the trial's seed: linear layers with GELUs between them.

    All hidden layers are `width_out` wide, but for the first of `fused-gelu-mlp`: that is 4 x `width_in`.
    """
    with seeded("projector", seed):
        if projector.kind == "linear":
            return nn.Linear(width_in, width_out)
        hidden = [width_out] * (projector.layers - 1)
        if projector.kind == "fused-gelu-mlp":
            hidden[0] = 4 * width_in
        layers: list[nn.Module] = []
        for inner, outer in pairwise([width_in, *hidden, width_out]):
            layers += [nn.GELU(), nn.Linear(inner, outer)]
        return nn.Sequential(*layers[1:])
