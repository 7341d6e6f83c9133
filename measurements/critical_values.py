"""Find the critical values of `orchestrator.analysis.critical_values`, and show how often tests by them err.

Run: ``python -m measurements.critical_values [DEGREES ...]`` (a minute for each). For every start and power of a grid,
the error of the test is computed by integration over the chi-square of the unsure part, for 25 ratios of the true
parts; the pair is taken whose errors come closest to the level from below. Beside it: the same errors by
Satterthwaite's formula.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy import special

from measurements.cost import told_cost
from orchestrator.analysis.critical_values import LEVELS, STARTS, upper_quantile
from orchestrator.analysis.intervals import Floats

RATIOS = np.geomspace(3e-4, 100, 25)
"""True sure part as a multiple of the unsure one."""
_NODES = (np.arange(4000) + 0.5) / 4000
_STARTS = np.concatenate([[0, 0.005, 0.01, 0.02, 0.03, 0.05], np.arange(0.075, 0.5, 0.025)])
_POWERS = np.arange(0.1, 1.3, 0.05)
_ALLOWED = 1.03


def errors(critical_BN: Floats, variance_BN: Floats, level: float) -> Floats:
    """Compute for each ratio how often a true difference of 0 is claimed, as a multiple of the level.

    Shapes: B ratios of the true parts, N values of the unsure part.

    Args:
        critical_BN: critical values, in standard errors.
        variance_BN: estimates of the variance, as a multiple of the true unsure part.
        level: of the test, two-sided.
    """
    scaled = np.sqrt(variance_BN / (1 + RATIOS[:, None]))
    shares: Floats = 2 * special.ndtr(-critical_BN * scaled).mean(1) / level
    return shares


def find(df: int, level: float) -> tuple[float, float, Floats, Floats]:
    """Find start and power; return them with the errors of the test, and those by Satterthwaite's formula."""
    unsure = special.gammaincinv(df / 2, _NODES) * 2 / df
    variance = unsure + RATIOS[:, None]
    share = unsure / variance
    low, high = upper_quantile(level / 2, np.inf), upper_quantile(level / 2, df)
    best: tuple[float, float, float, Floats] | None = None
    for start in _STARTS:
        beyond = np.clip((share - start) / (1 - start), 0, None)
        for power in _POWERS:
            shares = errors(low + (high - low) * beyond**power, variance, level)
            loss = float((np.clip(1 - shares, 0, None) ** 2).mean()) + 100 * max(float(shares.max()) - _ALLOWED, 0) ** 2
            if best is None or loss < best[0]:
                best = loss, float(start), float(power), shares
    assert best is not None
    satterthwaite = -special.stdtrit(np.minimum(df / share**2, 1e9), level / 2)
    return best[1], best[2], best[3], errors(satterthwaite, variance, level)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("df", type=int, nargs="*", default=list(STARTS))
    print("| df | level | start | power | errors / level, least to most | Satterthwaite, most |")
    print("|--:|--:|--:|--:|---|--:|")
    for df in parser.parse_args().df:
        for level in LEVELS:
            start, power, shares, peer = find(df, level)
            print(
                f"| {df} | {level:g} | {start:g} | {power:.2f} | {shares.min():.2f} to {shares.max():.2f} "
                f"| {peer.max():.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    with told_cost():
        main()
