"""Estimate how many positions a stage takes the time of for each that it needs: a micro-batch is padded to its longest.

A global batch is sorted by length and dealt to the workers (`trainables.data.batches.micro_batches`). All wait for the
one that has the longest row of those that are computed at a time. Lengths of texts are assumed to be log-normal. Packed
rows count as full. Under `padding: auto` a worker with flash attention drops it, which a plan cannot know.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from cluster.memory import sequence
from search_spaces.resource_spec import ResourceSpec
from search_spaces.resources import accumulation
from search_spaces.sizes import ModelSize
from search_spaces.spec import StageSpec

SPREAD = 0.6
"""Standard deviation of the logarithm of a text's length: one of a hundred has 3.4 times the mean. Assumed. With it and
what an A100 reaches (`gpus.yaml`), the base arm of Prismatic VLMs takes the nine hours that the paper reports."""


def padding(size: ModelSize, stage: StageSpec, resources: ResourceSpec, text_tokens: int, longest: int) -> float:
    """Estimate the positions computed, or waited for, for each one needed: from 1 on, of records with images.

    Args:
        size: of the model.
        stage, resources: the global batch, and how it is cut into micro-batches.
        text_tokens: mean length of a text.
        longest: length at which texts are cut.
    """
    if stage.packing is not None or resources.padding == "drop":
        return 1.0
    lengths = [sequence(size, round(tokens)) for tokens in text_lengths(stage.global_batch, text_tokens, longest)]
    at_a_time = stage.global_batch // accumulation(stage, resources)
    chunks = [lengths[start : start + at_a_time] for start in range(0, len(lengths), at_a_time)]
    return sum(len(chunk) * max(chunk) for chunk in chunks) / sum(lengths)


def text_lengths(number: int, mean: int, longest: int) -> list[float]:
    """Compute the expected lengths of so many texts, ascending (Blom 1958: quantiles at (i - 3/8) / (n + 1/4)).

    Args:
        number: of texts.
        mean: of their lengths, in tokens.
        longest: length at which they are cut.
    """
    median, normal = mean * math.exp(-(SPREAD**2) / 2), NormalDist()
    quantiles = (normal.inv_cdf((index + 0.625) / (number + 0.25)) for index in range(number))
    return [min(longest, median * math.exp(SPREAD * quantile)) for quantile in quantiles]
