"""Measure the seconds of judging studies from tables of items: ``python -m measurements.items [--studies N]``.

200 studies of 6 arms x 3 seeds x 1,000 questions on 250 images, each with five hypotheses, one after the other in one
process: from a table in memory, which `orchestrator.api.judge` takes, from a pandas frame, and from files.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from measurements.cost import told_cost
from orchestrator.api import judge
from orchestrator.items.check import checked_items
from orchestrator.items.files import read_items

ARMS, SEEDS, N_QUESTIONS, N_IMAGES = [f"arm{i}" for i in range(6)], (1, 2, 3), 1000, 250
HYPOTHESES = [
    {
        "id": f"h{number}",
        "claim": "it helps",
        "pairs": [["arm0", arm]],
        "expect": ("better", "worse", "equivalent", "not-worse")[number % 4],
        "margin": 2.0,
    }
    for number, arm in enumerate(ARMS[1:])
]


def study(number: int) -> pa.Table:
    """Draw the answers of a study: some questions are hard for all arms, and seeds differ."""
    random = np.random.default_rng(number)
    hard = random.normal(size=N_QUESTIONS)
    n_runs = len(ARMS) * len(SEEDS)
    ability = np.repeat(0.05 * np.arange(len(ARMS)), len(SEEDS)) + 0.05 * random.normal(size=n_runs)
    right = ability[:, None] - hard + random.normal(size=(n_runs, N_QUESTIONS)) > -0.5
    order = random.permutation(n_runs * N_QUESTIONS)
    columns = {
        "arm": np.repeat(ARMS, len(SEEDS) * N_QUESTIONS),
        "seed": np.tile(np.repeat(SEEDS, N_QUESTIONS), len(ARMS)),
        "benchmark": np.repeat("gqa", n_runs * N_QUESTIONS),
        "id": np.tile([f"q{i}" for i in range(N_QUESTIONS)], n_runs),
        "score": right.ravel() * 1.0,
        "cluster": np.tile([f"i{i % N_IMAGES}" for i in range(N_QUESTIONS)], n_runs),
    }
    return pa.table({name: values[order] for name, values in columns.items()})


def timed(what: str, step: Callable[[Any], object], inputs: list[Any]) -> None:
    """Print how many seconds of the processor a step takes.

    Args:
        what: name of the step.
        step: that is measured.
        inputs: on which it is done, one after the other.
    """
    began = time.process_time()
    for value in inputs:
        step(value)
    seconds = time.process_time() - began
    print(f"{what}: {seconds:.1f} s of the processor, {1e3 * seconds / len(inputs):.0f} ms each", flush=True)


def json_lines(table: pa.Table, path: Path) -> Path:
    """Write a table as JSON Lines."""
    frame: pd.DataFrame = table.to_pandas()
    frame.to_json(path, orient="records", lines=True)
    return path


def parquet(table: pa.Table, path: Path) -> Path:
    """Write a table as Parquet."""
    pq.write_table(table, path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=200)
    tables = [study(number) for number in range(parser.parse_args().studies)]
    judge(tables[0], HYPOTHESES)  # imports
    timed(f"{len(tables)} tables judged", lambda table: judge(table, HYPOTHESES), tables)
    timed("the same from pandas", lambda frame: judge(frame, HYPOTHESES), [table.to_pandas() for table in tables])
    with tempfile.TemporaryDirectory() as folder:
        lines = [json_lines(table, Path(folder, f"{i}.jsonl")) for i, table in enumerate(tables)]
        timed("read and checked as JSON Lines", lambda path: checked_items(read_items([path])), lines)
        files = [parquet(table, Path(folder, f"{i}.parquet")) for i, table in enumerate(tables)]
        timed("read and checked as Parquet", lambda path: checked_items(read_items([path])), files)


if __name__ == "__main__":
    with told_cost():
        main()
