"""Run an MLflow server that can be killed and comes back, and read the histories that MLflow keeps in a database."""

from __future__ import annotations

import sqlite3
import time
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from docs.screenshot import served
from measurements.drill.compare import HOW_OFTEN_VARIES, TIMED
from measurements.drill.interposer import Choice, Control, Disturbance
from trainables.storage import tracked_names

ROLE = "tracking server"

AWAY_S = 5.0
"""Seconds that a server which was killed stays away."""


class KillableServer(AbstractContextManager["KillableServer"]):
    """A tracking server with a database of its own, which waits at one of its writes, is killed, and comes back.

    Args:
        folder: for the database and what the server obeys; made here.
        library: the compiled library of the drill.
        moment: the write at which it waits, counted from when the server has started.
    """

    def __init__(self, folder: Path, library: Path, moment: Choice):
        (folder / "data").mkdir(parents=True)
        self.database = folder / "data" / "server.db"
        self.control = Control(folder, folder / "data", Disturbance("hold", replace(moment, nth=0)), library)
        self._stack = ExitStack()
        environment = self.control.environment(library, ROLE)
        self.address = self._stack.enter_context(served(self.database, environment=environment))
        self.control.count(moment.nth)

    def kill_for_a_while(self) -> None:
        """Stop the server with SIGKILL in the middle of its write, and start it again after a while."""
        port = int(self.address.rpartition(":")[2])
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                parent = psutil.Process(connection.pid)
                for process in (parent, *parent.children(recursive=True)):
                    process.kill()
        self._stack.close()
        time.sleep(AWAY_S)
        self._stack.enter_context(served(self.database, port=port))

    def __exit__(self, *error: object) -> None:
        self.control.release()
        self._stack.close()


def mlflow_history(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Read from MLflow's database, of each trial: status, and by metric its points, each a tuple.

    Args:
        database: of SQLite.
    """
    query = """
        select trial.value, runs.status, metrics.key, metrics.step, metrics.value from runs
        join tags trial on trial.run_uuid = runs.run_uuid and trial.key = ?
        left join metrics on metrics.run_uuid = runs.run_uuid
        where runs.lifecycle_stage = 'active' order by 1, 3, 4
    """
    if not database.exists():
        return {}
    connection = sqlite3.connect(database)
    try:
        rows = connection.execute(query, (tracked_names.TRIAL,)).fetchall()
    finally:
        connection.close()
    history: dict[str, list[tuple[Any, ...]]] = {}
    for trial, status, metric, step, value in rows:
        history[f"{trial}: status"] = [(status,)]
        if metric is not None and not metric.startswith(HOW_OFTEN_VARIES):
            point = (step,) if metric.startswith(TIMED) else (step, value)
            history.setdefault(f"{trial}: {metric}", []).append(point)
    return history
