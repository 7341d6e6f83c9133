"""Measure what an outage of MLflow costs a study: ``python -m measurements.outage [--seconds 60]``.

It takes about ten minutes. The base trial of the quickstart, with more epochs, is run three times against a server of
its own: undisturbed; with the server stopped for a minute in mid-training; and with the driver killed (SIGKILL) during
that minute as well, and the same command run again once the server is back. Then the server's history is compared with
the trial's spool: every step once. Seconds per step come from the spool: before, during and after the outage.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from mlflow import MlflowClient

from docs.screenshot import served
from measurements.cost import told_cost
from trainables.storage import tracked_names
from trainables.storage.spool import read_spool
from trainables.storage.store import LocalStore

METRIC = tracked_names.TRAIN_LOSS
BEFORE_S, POLL_S = 10.0, 0.2
PATIENCE_S = 1200.0


class Outage(NamedTuple):
    """Seconds since the epoch between which the server was stopped."""

    began: float
    ended: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the server is away")
    parser.add_argument("--epochs", type=int, default=12, help="so many that training outlasts the outage")
    parser.add_argument("--known", type=Path, help="a storage whose prepared data and features are taken over")
    arguments = parser.parse_args()
    known: Path | None = arguments.known
    with tempfile.TemporaryDirectory() as folder:
        for name, kill in (("undisturbed", None), ("server away", False), ("server away, driver killed", True)):
            storage = Path(folder) / name.replace(" ", "-").replace(",", "")
            _take_over(known, storage)
            outage = _study(storage, None if kill is None else arguments.seconds, kill is True, arguments.epochs)
            _show(name, storage, outage)
            known = storage


def _study(storage: Path, seconds: float | None, kill: bool, epochs: int) -> Outage | None:
    """Run the study to its end against a server; with `seconds`, stop the server for so long in mid-training."""
    database = storage / "server.db"
    with served(database) as address:
        driver = _start(storage, address, epochs)
        if seconds is None:
            _finish(driver)
            return None
        _wait(lambda: len(_server_steps(address)) > 0, driver)
        time.sleep(BEFORE_S)
    began = time.time()
    time.sleep(seconds / 2)
    if kill:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    time.sleep(max(0.0, began + seconds - time.time()))
    if not kill and driver.poll() is not None:
        raise SystemExit("training ended during the outage: use more epochs")
    with served(database, port=int(address.rpartition(":")[2])):
        outage = Outage(began, time.time())
        if kill:
            driver = _start(storage, address, epochs)
        _finish(driver)
        (storage / "steps").write_text("\n".join(map(str, _server_steps(address))))
    return outage


def _take_over(known: Path | None, storage: Path) -> None:
    """Copy what does not depend on training from a known storage: prepared data and features."""
    storage.mkdir(parents=True)
    if known is not None:
        for name in ("data", "features"):
            shutil.copytree(known / name, storage / name)
        shutil.copyfile(known / "digests.json", storage / "digests.json")


def _start(storage: Path, address: str, epochs: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "orchestrator", "run", "quickstart", "--limit", "1", "--cpus", "1"]
    command += ["--storage", str(storage), "--tracking-uri", address]
    for override in (f"base.epochs={epochs}", "resources.checkpoint_every_steps=200"):
        command += ["--set", override]
    log = (storage / "driver.log").open("ab")
    return subprocess.Popen(command, stdout=log, stderr=log)


def _finish(driver: subprocess.Popen[bytes]) -> None:
    if code := driver.wait(PATIENCE_S):
        raise SystemExit(f"the study ended with exit code {code}: {driver.args!r}")


def _wait(is_so: Callable[[], bool], driver: subprocess.Popen[bytes]) -> None:
    while not is_so():
        if driver.poll() is not None:
            raise SystemExit("the study ended before anything was on the server: use more epochs")
        time.sleep(POLL_S)


def _server_steps(address: str) -> list[int]:
    """Read the steps of the metric on the server, in its order, of the only run."""
    client = MlflowClient(address)
    experiment = client.get_experiment_by_name("quickstart")
    if experiment is None:
        return []
    runs = client.search_runs([experiment.experiment_id], "tags.`ablate.kind` = 'trial'")
    if len(runs) > 1:
        raise SystemExit(f"one trial has {len(runs)} runs")
    return [metric.step for run in runs for metric in client.get_metric_history(run.info.run_id, METRIC)]


def _show(name: str, storage: Path, outage: Outage | None) -> None:
    (spool,) = storage.glob("studies/*/trials/*/spool.jsonl")
    records = read_spool(LocalStore(spool.parent), spool.name)
    lines = [line for _, line in records if METRIC in line.get("metrics", {})]
    points = [(line["ts"] / 1000, line["step"]) for line in lines]
    print(f"{name}: {len(points)} points in the spool", flush=True)
    if outage is None:
        print(f"  seconds per step: {_pace(points):.4f}", flush=True)
        return
    server = [int(step) for step in (storage / "steps").read_text().split()]
    wanted = sorted({step for _, step in points})
    print(f"  on the server: {len(server)} points, {len(server) - len(set(server))} of them twice", flush=True)
    print(f"  history complete: {'yes' if sorted(server) == wanted else 'NO'}", flush=True)
    times = {"before": (0.0, outage.began), "during": tuple(outage), "after": (outage.ended, time.time())}
    for part, (low, high) in times.items():
        print(f"  seconds per step {part}: {_pace([point for point in points if low <= point[0] < high]):.4f}")


def _pace(points: Sequence[tuple[float, int]]) -> float:
    """Compute the median seconds per step between neighbouring points."""
    paces = [(b[0] - a[0]) / (b[1] - a[1]) for a, b in pairwise(points) if b[1] > a[1]]
    return statistics.median(paces) if paces else float("nan")


if __name__ == "__main__":
    with told_cost():
        main()
