"""Measure large studies: ``python -m measurements.scale [--trials N] [--arms N]``.

CPU seconds (user and system) and peak memory of whole commands, each in a process of its own: the plan of a study of
100,000 arms; the status, the report and a second run of a finished study of 5,000 trials on storage; and sending all of
a smaller finished study to the embedded tracking database.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from measurements.cost import told_cost
from measurements.large_storage import write_finished_study
from measurements.planning import write_grid


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arms", type=int, default=100_000, help="of the study that is only planned")
    parser.add_argument("--trials", type=int, default=5_000, help="of the study that is on storage")
    parser.add_argument("--synced", type=int, default=300, help="trials of the study that is sent to MLflow")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        planned = write_grid(root / "planned.yaml", arguments.arms, seeds=[1])
        _measure(f"plan --json of {arguments.arms:,} arms", "plan", str(planned), "--json", storage=root / "empty")
        stored, storage = write_grid(root / "stored.yaml", arguments.trials // 3, seeds=[1, 2, 3]), root / "storage"
        storage.mkdir()
        _, plan = write_finished_study(stored, storage, storage / "sources")
        files = sum(len(names) for _, _, names in os.walk(storage))
        print(f"storage of {len(plan.trials):,} finished trials: {files:,} files")
        for command in (["status"], ["verdicts"], ["report", "--to", "json"], ["run", "--offline"]):
            _measure(" ".join(command), command[0], str(stored), *command[1:], storage=storage)
        synced, storage = write_grid(root / "synced.yaml", arguments.synced // 3, seeds=[1, 2, 3]), root / "synced"
        storage.mkdir()
        _, plan = write_finished_study(synced, storage, storage / "sources")
        for what in ("sync", "sync again"):
            _measure(f"{what} of {len(plan.trials):,} trials", "sync", str(synced), storage=storage)


def _measure(what: str, *command: str, storage: Path) -> None:
    """Run a command in a process of its own, and print its CPU seconds and the most memory that it had."""
    arguments = [sys.executable, "-m", "orchestrator", *command, "--storage", str(storage)]
    with open(os.devnull, "wb") as nothing:
        actions = [(os.POSIX_SPAWN_DUP2, nothing.fileno(), 1)]
        process = os.posix_spawn(arguments[0], arguments, os.environ, file_actions=actions)
        _, status, usage = os.wait4(process, 0)
    seconds, ended = usage.ru_utime + usage.ru_stime, os.waitstatus_to_exitcode(status)
    print(f"{what}: {seconds:.1f} s of CPU, {usage.ru_maxrss / 1000:.0f} MB, exit code {ended}", flush=True)


if __name__ == "__main__":
    with told_cost():
        main()
