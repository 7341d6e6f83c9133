"""Tests that need no normal distribution: exact McNemar, sign flips of whole images, sign flips of any draws.

Under the null an image's difference is as likely to be its opposite. Where every image carries one question with a 0/1
score that is McNemar's test, and exact; else signs are flipped at random, image by image.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrator.analysis.bootstrap import ImageSums
from orchestrator.analysis.intervals import Floats

FLIPS = 10_000
MOST_ENUMERATED = 16
"""Up to so many values every combination of signs is tried, and as many at random of more: 65,536."""


def exact_p(benchmarks: Sequence[ImageSums], seed: int = 0) -> float:
    """Test whether the first effect of each benchmark, in the unweighted mean over them, is 0: two-sided p, 0 to 1."""
    shares = _image_shares(benchmarks)
    moving = shares[np.abs(shares) > 1e-9]
    if not moving.size:
        return 1.0
    if np.ptp(np.abs(moving)) < 1e-9 * float(np.abs(moving).max()):
        from scipy import stats

        return float(stats.binomtest(int((moving > 0).sum()), moving.size).pvalue)
    random, seen, extreme = np.random.default_rng(seed), abs(float(moving.sum())) * (1 - 1e-9), 0
    for _ in range(FLIPS // 500):
        signs = random.integers(0, 2, (500, moving.size), dtype=np.int8) * 2.0 - 1.0
        extreme += int((np.abs(signs @ moving) >= seen).sum())
    return (extreme + 1) / (FLIPS + 1)


def sign_flip_p(values: Floats, seed: int = 0) -> float:
    """Test whether values, each as likely as its opposite, have the mean 0: two-sided p, 0 to 1.

    All combinations of signs are tried, up to 16 values; the least p is then 2 / 2^n. Of more, 65,536 at random.

    Args:
        values: of independent draws.
        seed: of the signs that are drawn.
    """
    seen = abs(float(values.sum())) - 1e-9 * float(np.abs(values).sum())
    if values.size <= MOST_ENUMERATED:
        sums = np.zeros(1)
        for value in values:
            sums = np.concatenate([sums + value, sums - value])
        return float(np.mean(np.abs(sums) >= seen))
    flips, extreme = 1 << MOST_ENUMERATED, 0
    random = np.random.default_rng(seed)
    for _ in range(16):
        signs = random.integers(0, 2, (flips // 16, values.size), dtype=np.int8) * 2.0 - 1.0
        extreme += int((np.abs(signs @ values) >= seen).sum())
    return (extreme + 1) / (flips + 1)


def _image_shares(benchmarks: Sequence[ImageSums]) -> Floats:
    """Sum what every image adds to the effect on all benchmarks that share it, in points."""
    shares: dict[tuple[str, str], float] = {}
    for benchmark in benchmarks:
        for name, total in zip(benchmark.frame.clusters, benchmark.sums_CE[:, 0], strict=True):
            key = benchmark.frame.images, name
            shares[key] = shares.get(key, 0.0) + float(total) / benchmark.frame.n / len(benchmarks)
    return np.array(list(shares.values()))
