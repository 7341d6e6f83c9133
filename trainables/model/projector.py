"""Projectors: from feature width to embedding width, as in Prismatic VLMs (models/.../nn_utils.py)."""

from __future__ import annotations

from torch import nn

from search_spaces.spec import ProjectorSpec
from trainables.model.seeding import seeded


def build_projector(projector: ProjectorSpec, width_in: int, width_out: int, seed: int) -> nn.Module:
    """A projector with weights drawn from the trial's seed."""
    with seeded("projector", seed):
        if projector.kind == "linear":
            return nn.Linear(width_in, width_out)
        if projector.kind == "gelu-mlp":
            return nn.Sequential(nn.Linear(width_in, width_out), nn.GELU(), nn.Linear(width_out, width_out))
        return nn.Sequential(
            nn.Linear(width_in, 4 * width_in),
            nn.GELU(),
            nn.Linear(4 * width_in, width_out),
            nn.GELU(),
            nn.Linear(width_out, width_out),
        )
