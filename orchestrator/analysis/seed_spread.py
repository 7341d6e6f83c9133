"""The variation of scores over seeds: an effect's own, and that pooled over the arms of a study.

From an effect's own seeds comes the seed part of its variance, with S - 1 degrees of freedom: exact however noisy its
arms are. Two seeds have one degree of freedom and a quantile of 12.7. The spread pooled over all arms would be surer,
but arms are not equally noisy: at two seeds a pooled test of an arm that varies three times as much as the others
raises 15 % false alarms. So the pool is only a *bound*: an effect may also be claimed where it would stand if its arms
varied `BOUND` times as much as the arms do together. Both tests share the error rate. The large effects of small
studies are decided by the bound, and a pair six times as noisy as the rest still errs less often than is allowed.

Arms are alike on the scale of p (1 - p), the variance of a share: arms at 98 % vary less than those at 50 %.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from orchestrator.analysis.distributions import f_upper_tail
from orchestrator.analysis.intervals import Floats, Part

BOUND = 3.0
"""An arm is taken to vary at most so many times as much as the arms do together, as a standard deviation."""
BOUND_SHARES: Mapping[int, float] = {2: 0.25, 3: 0.02, 4: 0.02}
"""Number of seeds -> share of the error rate that the bound uses. With three and four it only sees to it that a further
seed never decides less, in families of twenty claims and more: a fiftieth does, and costs a point of power, where a
twentieth costs two and a half. From five on the own spread stands alone."""
_UNEVEN_P = 0.05


def bound_share(n_seeds: int) -> float:
    """Return the share of the error rate that a test by the pooled bound may use."""
    return BOUND_SHARES.get(n_seeds, 0.0)


@dataclass(frozen=True)
class Pool:
    """Variation of the scores of (arm, seed), seeds being blocks, in units of each arm's p (1 - p)."""

    blocks: float
    df_blocks: int
    residual: float
    df_residual: int
    scales: Mapping[str, float] = field(default_factory=dict)
    """Arm -> variance of one 0/1 score of its mean, in points squared; empty: all arms are taken to be alike."""
    by_arm: Mapping[str, float] = field(default_factory=dict)
    """Arm -> its share of the residual sum of squares."""

    @staticmethod
    def of(means: Mapping[tuple[str, int], float], scales: Mapping[str, float] | None = None) -> Pool:
        """Fit arm + seed by weighted least squares; arms may lack seeds. Arms with a single seed say nothing.

        Args:
            means: (arm, seed) -> mean score in points.
            scales: arm -> what its variance over seeds is proportional to; by default all alike.
        """
        scales = dict(scales or {})
        counts = Counter(arm for arm, _ in means)
        trials = [(arm, seed) for arm, seed in means if counts[arm] > 1]
        if not trials:
            return Pool(0.0, 0, 0.0, 0, scales)
        arms = {arm: i for i, arm in enumerate(dict.fromkeys(arm for arm, _ in trials))}
        seeds = {seed: i for i, seed in enumerate(sorted({seed for _, seed in trials}))}
        arm_of = np.array([arms[arm] for arm, _ in trials])
        weight_of = 1 / np.sqrt(np.array([scales.get(arm, 1.0) for arm in arms]))[arm_of]
        design = np.zeros((len(trials), len(seeds)))
        design[np.arange(len(trials)), [seeds[seed] for _, seed in trials]] = 1.0
        y = _centred(np.array([[means[trial]] for trial in trials]), arm_of, len(arms)) * weight_of[:, None]
        design = _centred(design, arm_of, len(arms)) * weight_of[:, None]
        solution, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
        squares = ((y - design @ solution) ** 2)[:, 0]
        residual, within = float(squares.sum()), float((y**2).sum())
        by_arm = dict(zip(arms, np.bincount(arm_of, weights=squares).tolist(), strict=True))
        df = len(trials) - len(arms) - int(rank)
        return Pool(max(within - residual, 0.0), int(rank), residual, df, scales, by_arm)

    def of_effect(self, n_seeds: int, weights: Mapping[str, float]) -> Part | None:
        """Estimate the seed part of a weighted sum of arms; None where fewer than two arms have a signal.

        The weights add up to 0. The block cancels, and each arm brings the residual mean square times its squared
        weight: 2 in all for the difference of two arms, 1.5 for the mean difference of two arms to one and the same
        third.
        """
        if self.df_residual < 1:
            return None
        scale = sum(weight**2 * self._scale(arm) for arm, weight in weights.items())
        return Part(scale * self.residual / self.df_residual / n_seeds, self.df_residual)

    def of_mean(self, n_seeds: int, arm: str) -> Part | None:
        """Estimate the seed part of an arm's mean; None where fewer than two arms have a signal.

        The mean varies with the block, too: its variance is that within arms, whose blocks all arms share
        (Satterthwaite).
        """
        if self.df_residual < 1:
            return None
        df = self.df_blocks + self.df_residual
        within = (self.blocks + self.residual) / df
        share = (self.blocks / df) ** 2 / max(self.df_blocks, 1) + (self.residual / df) ** 2 / self.df_residual
        variance = self._scale(arm) * within / n_seeds
        return Part(variance, within**2 / share if share > 0 else df)

    def _scale(self, arm: str) -> float:
        """Return the scale of an arm; of one without scores, as in a plan, the mean of the others."""
        if not self.scales:
            return 1.0
        return self.scales[arm] if arm in self.scales else sum(self.scales.values()) / len(self.scales)

    def uneven_arms(self) -> dict[str, float]:
        """Find arms that vary over seeds more, or less, than the others by more than chance (F test, Bonferroni).

        Returns:
            Arm -> its standard deviation as a multiple of the others'; infinite where the others do not vary.
        """
        n_arms = len(self.by_arm)
        if n_arms < 3 or self.residual <= 0:
            return {}
        own_df = self.df_residual / n_arms
        rest_df = self.df_residual - own_df
        ratios = {}
        for arm, squares in self.by_arm.items():
            rest = max(self.residual - squares, 0.0) / rest_df
            ratio = squares / own_df / rest if rest > 0 else np.inf
            upper = float(f_upper_tail(own_df, rest_df, ratio)) if np.isfinite(ratio) else 0.0
            if 2 * min(upper, 1 - upper) * n_arms < _UNEVEN_P:
                ratios[arm] = float(np.sqrt(ratio))
        return ratios


def score_scale(points: float, n: int) -> float:
    """Compute the variance p (1 - p) of a 0/1 score, in points squared; never 0, as n more examples might differ.

    Args:
        points: mean score, 0 to 100.
        n: number of examples.
    """
    p = (n * points / 100 + 0.5) / (n + 1)
    return 1e4 * p * (1 - p)


def _centred(values: Floats, group_of: NDArray[np.intp], n_groups: int) -> Floats:
    """Subtract from each column the mean of each row's group."""
    sums = np.zeros((n_groups, values.shape[1]))
    np.add.at(sums, group_of, values)
    centred: Floats = values - (sums / np.bincount(group_of)[:, None])[group_of]
    return centred
