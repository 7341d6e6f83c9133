"""Pairs of arms as one weighted sum, so that an arm in several pairs is counted as the one arm that it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def pair_weights(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Weigh every arm in the mean over pairs of alternative - reference; arms that cancel out keep a weight of 0."""
    weights: dict[str, float] = {}
    for reference, alternative in pairs:
        weights[reference] = weights.get(reference, 0.0) - 1 / len(pairs)
        weights[alternative] = weights.get(alternative, 0.0) + 1 / len(pairs)
    return weights


def sum_of_squares(weights: Mapping[str, float]) -> float:
    """Sum the squared weights of arms: 2 for the difference of two, by which the variance of an effect grows."""
    return sum(weight**2 for weight in weights.values())
