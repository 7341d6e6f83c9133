"""Build projectors from visual features to embeddings, as in Prismatic VLMs (prismatic/util/nn_utils.py)."""

from __future__ import annotations

from torch import nn

from search_spaces.spec import ProjectorSpec
from trainables.model.projector_layers import stack
from trainables.model.seeding import seeded


def build_projector(projector: ProjectorSpec, width_in: int, width_out: int, seed: int) -> nn.Module:
    """Build a projector with weights drawn from the trial's seed.

    Args:
        projector: kind and depth; `search_spaces/projectors.py` says what layers they mean.
        width_in: length of a visual feature.
        width_out: length of an embedding of the language model.
        seed: seed of the trial.
    """
    with seeded("projector", seed):
        return stack(projector.stack(width_in, width_out))
