"""Measure what MLflow itself takes for the requests that a trial needs: ``python -m measurements.tracking_calls
[--pool CLASS] [--pragma NAME=VALUE]... [--asynchronous]``.

Nothing but MLflow's own client and its database, made as `ablate` makes the one embedded in a storage: no spool is
read, no file is attached. What `ablate sync` takes for a trial cannot be less. The options are the ways that MLflow and
SQLAlchemy offer to make it cheaper: a class of connection pool (MLFLOW_SQLALCHEMYSTORE_POOLCLASS), settings of each
connection to SQLite, and MLflow's own queue for points.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # before mlflow is imported

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from sqlalchemy import event
from sqlalchemy.engine import Engine

from measurements.cost import told_cost
from orchestrator.tracking.embedded_database import embedded_uri, prepare_embedded

TRIALS, WARM_UP = 60, 5
CURVES, STEPS, SCORES = 4, 50, 10
"""Histories of a trial, their points, and results beside them: those of `measurements.large_storage`."""

T = TypeVar("T")


class Stopwatch:
    """Sums CPU seconds by request."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def timed(self, request: str, call: Callable[[], T]) -> T:
        """Make a request, and note what it took."""
        began = time.process_time()
        answer = call()
        self.seconds[request].append(time.process_time() - began)
        return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", help="class of the pool of connections, as MLflow names it")
    parser.add_argument("--pragma", action="append", default=[], metavar="NAME=VALUE", help="of each connection")
    parser.add_argument("--asynchronous", action="store_true", help="points go through MLflow's queue")
    arguments = parser.parse_args()
    if arguments.pool is not None:
        os.environ["MLFLOW_SQLALCHEMYSTORE_POOLCLASS"] = arguments.pool

    def set_pragmas(connection: Any, _: object) -> None:
        for pragma in arguments.pragma:
            connection.execute(f"PRAGMA {pragma}").fetchall()

    event.listen(Engine, "connect", set_pragmas)
    with tempfile.TemporaryDirectory() as folder:
        storage = Path(folder)
        prepare_embedded(storage)
        client, watch = MlflowClient(embedded_uri(storage)), Stopwatch()
        experiment = client.create_experiment("bare", artifact_location=(storage / "artifacts").as_uri())
        for number in range(WARM_UP):
            _record_trial(client, experiment, number, watch, arguments.asynchronous)
        before = resource.getrusage(resource.RUSAGE_SELF)
        for number in range(TRIALS):
            _record_trial(client, experiment, number, watch, arguments.asynchronous)
        after = resource.getrusage(resource.RUSAGE_SELF)
    takes = {request: seconds[WARM_UP:] for request, seconds in watch.seconds.items()}
    print(f"CPU ms of a request, median (least) of {TRIALS}:")
    for request, seconds in takes.items():
        print(f"  {request}: {median(seconds) * 1000:.1f} ({min(seconds) * 1000:.1f})")
    total = [sum(each) for each in zip(*takes.values(), strict=True)]
    print(f"  all of a trial: {median(total) * 1000:.1f} ({min(total) * 1000:.1f})")
    user_s, system_s = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    print(f"  all threads, mean: {user_s / TRIALS * 1000:.1f} and {system_s / TRIALS * 1000:.1f} of the system")


def _record_trial(client: MlflowClient, experiment: str, number: int, watch: Stopwatch, is_asynchronous: bool) -> None:
    """Record one finished trial with its data and its model, in as few requests as MLflow has for it."""
    tags = {f"tag{index}": "value" for index in range(9)}
    run = watch.timed("make the run", lambda: client.create_run(experiment, 1000, tags, f"run {number}")).info.run_id
    curves = [Metric(f"train/{curve}", 1 / step, step, step) for step in range(1, STEPS + 1) for curve in range(CURVES)]
    metrics = [*curves, *(Metric(f"score/{index}", 0.5, 1000, 0) for index in range(SCORES))]
    params = [Param(f"param{index}", "value") for index in range(11)]
    more_tags = [RunTag(f"more{index}", "value") for index in range(4)]
    what = f"{len(metrics)} points, {len(params)} parameters, {len(more_tags)} tags"
    if is_asynchronous:
        watch.timed(what, lambda: client.log_batch(run, metrics, params, more_tags, synchronous=False)).wait()
    else:
        watch.timed(what, lambda: client.log_batch(run, metrics, params, more_tags))
    data = DatasetInput(Dataset("data", "digest", "ablate", "{}"), [InputTag("mlflow.data.context", "training")])
    watch.timed("name its data", lambda: client.log_inputs(run, [data]))
    model = watch.timed(
        "make its model",
        lambda: client.create_logged_model(
            experiment, "model", run, {f"tag{index}": "value" for index in range(4)}, {"seed": "1"}, "vlm"
        ),
    )
    watch.timed("finish its model", lambda: client.finalize_logged_model(model.model_id, "READY"))
    watch.timed("end the run", lambda: client.set_terminated(run, "FINISHED", 2000))


if __name__ == "__main__":
    with told_cost():
        main()
