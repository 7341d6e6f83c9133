"""Estimate how many positions a stage takes the time of for each that it needs: a micro-batch is padded to its longest.

A global batch is sorted by length and dealt to the workers (`trainables.data.batches.micro_batches`). All wait for the
one that has the longest row of those that are computed at a time. Lengths of texts are those that were measured, else
they are assumed to be log-normal. Packed rows count as full. Under `padding: auto` a worker with flash attention drops
it, which a plan cannot know.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from statistics import NormalDist

from cluster.memory import sequence
from search_spaces.resource_spec import ResourceSpec
from search_spaces.resources import accumulation
from search_spaces.sizes import ModelSize
from search_spaces.spec import StageSpec

SPREAD = 0.6
"""Standard deviation of the logarithm of a text's length: one of a hundred has 3.4 times the mean. Assumed. With it and
what an A100 reaches (`gpus.yaml`), the base arm of Prismatic VLMs takes the nine hours that the paper reports."""


@dataclass(frozen=True, eq=False)
class MeasuredTexts:
    """Distribution of the lengths of texts that a stage trains on; two of them are equal where they are one object."""

    lengths: tuple[int, ...]
    """In tokens, ascending, each once."""
    shares: tuple[float, ...]
    """Share of the texts that are at most so long, up to 1."""

    @staticmethod
    def of(weights: Mapping[int, float]) -> MeasuredTexts:
        """Make the distribution of texts from their numbers, or shares, by length; there must be some."""
        lengths = tuple(sorted(weights))
        sums = list(accumulate(weights[length] for length in lengths))
        return MeasuredTexts(lengths, tuple(each / sums[-1] for each in sums))

    def mean(self, longest: int) -> float:
        """Compute the mean length of texts that are cut at `longest` tokens."""
        before = (0.0, *self.shares[:-1])
        return sum(
            min(length, longest) * (share - under)
            for length, share, under in zip(self.lengths, self.shares, before, strict=True)
        )

    def expected(self, number: int, longest: int) -> list[float]:
        """Compute the expected lengths of so many texts, ascending, as `text_lengths` does of assumed ones.

        Args:
            number: of texts.
            longest: length at which they are cut.
        """
        last = len(self.lengths) - 1
        ranks = (bisect_left(self.shares, share) for share in _plotting_positions(number))
        return [float(min(longest, self.lengths[min(rank, last)])) for rank in ranks]


def padding(
    size: ModelSize,
    stage: StageSpec,
    resources: ResourceSpec,
    text_tokens: int,
    longest: int,
    measured: MeasuredTexts | None = None,
) -> float:
    """Estimate the positions computed, or waited for, for each one needed: from 1 on, of records with images.

    Args:
        size: of the model.
        stage, resources: the global batch, and how it is cut into micro-batches.
        text_tokens: mean length of a text, of no account where lengths were measured.
        longest: length at which texts are cut.
        measured: lengths of the stage's texts; None where they are assumed.
    """
    if stage.packing is not None or resources.padding == "drop":
        return 1.0
    number = stage.global_batch
    texts = text_lengths(number, text_tokens, longest) if measured is None else measured.expected(number, longest)
    lengths = [sequence(size, round(tokens)) for tokens in texts]
    at_a_time = stage.global_batch // accumulation(stage, resources)
    chunks = [lengths[start : start + at_a_time] for start in range(0, len(lengths), at_a_time)]
    return sum(len(chunk) * max(chunk) for chunk in chunks) / sum(lengths)


def text_lengths(number: int, mean: int, longest: int) -> list[float]:
    """Compute the expected lengths of so many texts of assumed lengths, ascending.

    Args:
        number: of texts.
        mean: of their lengths, in tokens.
        longest: length at which they are cut.
    """
    median, normal = mean * math.exp(-(SPREAD**2) / 2), NormalDist()
    quantiles = map(normal.inv_cdf, _plotting_positions(number))
    return [min(longest, median * math.exp(SPREAD * quantile)) for quantile in quantiles]


def _plotting_positions(number: int) -> list[float]:
    """Compute the shares whose quantiles a sorted sample is expected to have (Blom 1958: (i - 3/8) / (n + 1/4))."""
    return [(index + 0.625) / (number + 0.25) for index in range(number)]
