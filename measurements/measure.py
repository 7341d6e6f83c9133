"""Run all measurements, one after the other: ``make measure``. Takes about twenty minutes on 2 cores."""

from __future__ import annotations

import subprocess
import sys

from measurements.cost import told_cost

MEASUREMENTS = (
    "measurements.planning",
    "measurements.simulate",
    "measurements.predicted",
    "measurements.data",
    "measurements.padding",
    "measurements.throughput",
    "measurements.peers",
    "measurements.compiled",
    "measurements.checkpoints",
    "measurements.start",
    "measurements.groups",
    "measurements.trial_peers",
    "measurements.exactness",
    "measurements.outage",
    "measurements.scoring",
    "measurements.evaluation",
    "measurements.answering",
    "measurements.loading",
    "measurements.analysis",
    "measurements.items",
    "measurements.verdict_coverage",
)


def main() -> None:
    for name in MEASUREMENTS:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, "-m", name], check=True)


if __name__ == "__main__":
    with told_cost():
        main()
