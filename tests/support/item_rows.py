"""Items for tests: rows of arms with seeds on benchmarks, as a user writes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]


def item_rows(
    accuracies: Mapping[str, float],
    seeds: Sequence[int] = (1, 2, 3),
    benchmarks: Sequence[str] = ("gqa",),
    n: int = 200,
    per_image: int = 4,
) -> list[Row]:
    """Draw 0/1 scores with exactly these accuracies; the same questions are hard for all arms, and seeds differ a bit.

    Args:
        accuracies: arm -> share of right answers.
        seeds: of every arm.
        benchmarks: that every arm with every seed answers.
        n: questions on each benchmark.
        per_image: questions that share an image.
    """
    rows = []
    for benchmark in benchmarks:
        hard = np.random.default_rng([*benchmark.encode()]).normal(size=n)
        for arm, accuracy in accuracies.items():
            for seed in seeds:
                own = hard + 0.5 * np.random.default_rng([seed, *arm.encode(), *benchmark.encode()]).normal(size=n)
                scores = np.zeros(n)
                scores[np.argsort(own)[: round(accuracy * n)]] = 1.0
                rows += [
                    {
                        "arm": arm,
                        "seed": seed,
                        "benchmark": benchmark,
                        "id": f"q{i}",
                        "score": float(scores[i]),
                        "cluster": f"{benchmark}-{i // per_image}",
                    }
                    for i in range(n)
                ]
    return rows


def write_lines(path: Path, rows: Iterable[object]) -> Path:
    """Write JSON Lines; rows that are text are written as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path
