"""Measure CPU seconds and memory of analysing a large study: ``python -m measurements.analysis [--arms N]``.

1,000 arms x 12 benchmarks x 10,000 examples on 2,500 images: every contrast with the base and its interval, the
correction over all of them, and 2,000 bootstraps of every image part. Score matrices (arm x image) are built as results
arrive; that is timed apart, as is reading Parquet files.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from measurements.cost import told_cost
from orchestrator.analysis.bootstrap import image_errors
from orchestrator.analysis.examples import Examples, read_examples
from orchestrator.analysis.exploratory import judge
from orchestrator.analysis.pairs import pair_weights
from orchestrator.analysis.scores import Scores

N_BENCHMARKS, N_EXAMPLES, N_IMAGES = 12, 10_000, 2_500
IDS = tuple(f"q{i:06d}" for i in range(N_EXAMPLES))
IMAGES = tuple(f"i{i % N_IMAGES:05d}" for i in range(N_EXAMPLES))


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.process_time()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{what}: {time.process_time() - began:.1f} s (peak memory so far {peak:.2f} GB)", flush=True)


def scores_of(arm: int, benchmark: int) -> np.ndarray:
    """Draw 0/1 answers: some questions are hard for all arms, some for this one."""
    hard = np.random.default_rng(benchmark).uniform(size=N_EXAMPLES)
    own = np.random.default_rng([arm, benchmark]).uniform(size=N_EXAMPLES)
    return (0.7 * hard + 0.3 * own < 0.5 + 0.0001 * arm).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arms", type=int, default=1000)
    n_arms = parser.parse_args().arms
    names = [f"b{i}" for i in range(N_BENCHMARKS)]
    scores = Scores()
    adding = 0.0
    for arm in range(n_arms):
        for number, name in enumerate(names):
            values = scores_of(arm, number)
            began = time.process_time()
            scores.add(f"arm{arm}", 7, name, Examples(IDS, IMAGES, values))
            adding += time.process_time() - began
    cells = n_arms * N_BENCHMARKS
    print(f"built as results arrive, {cells:,} cells: {adding:.1f} s, {1e3 * adding / cells:.2f} ms each")
    print(f"reading a Parquet file of {N_EXAMPLES:,} examples: {1e3 * _reading():.1f} ms")
    alternatives = [f"arm{arm}" for arm in range(1, n_arms)]
    began = time.process_time()
    with timed(f"{len(alternatives) * (N_BENCHMARKS + 1):,} contrasts with their intervals"):
        contrasts = [scores.contrast("arm0", arm, [name]) for arm in alternatives for name in names]
        contrasts += [scores.contrast("arm0", arm, names) for arm in alternatives]
    with timed("Benjamini-Hochberg over all of them"):
        judge(contrasts)
    with timed("2,000 bootstraps of every image part"):
        effects = [pair_weights([("arm0", arm)]) for arm in alternatives]
        errors, of_mean = image_errors([scores.image_sums(effects, name) for name in names])
    print(f"analysis: {time.process_time() - began:.1f} s of CPU")
    linear = np.sqrt([c.estimate.interval.image_part for c in contrasts[: len(alternatives) * N_BENCHMARKS]])
    ratio = errors.T.reshape(-1) / linear
    print(f"bootstrap / linearised error: {ratio.mean():.3f}, from {ratio.min():.2f} to {ratio.max():.2f}")
    assert of_mean.shape == (len(alternatives),)


def _reading() -> float:
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{i}.parquet" for i in range(40)]
        for i, file in enumerate(files):
            columns = {"id": IDS, "cluster": IMAGES, "score": scores_of(i, 0).astype(np.float32)}
            pq.write_table(pa.table({name: pa.array(column) for name, column in columns.items()}), file)
        began = time.process_time()
        for file in files:
            read_examples(file)
        return (time.process_time() - began) / len(files)


if __name__ == "__main__":
    with told_cost():
        main()
