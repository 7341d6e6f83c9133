"""All measurements, one after the other: ``make measure``. Takes about twenty minutes on 2 cores."""

from __future__ import annotations

import subprocess
import sys

MEASUREMENTS = (
    "benchmarks.planning",
    "benchmarks.data",
    "benchmarks.throughput",
    "benchmarks.groups",
    "benchmarks.exactness",
    "benchmarks.outage",
    "benchmarks.scoring",
    "benchmarks.evaluation",
    "benchmarks.analysis",
    "benchmarks.verdict_coverage",
)


def main() -> None:
    for name in MEASUREMENTS:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, "-m", name], check=True)


if __name__ == "__main__":
    main()
