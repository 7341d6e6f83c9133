"""Run an MLflow server that can be killed and comes back, and read the histories that MLflow keeps in a database."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import psutil

from docs.screenshot import served
from measurements.drill.compare import HOW_OFTEN_VARIES, TIMED
from trainables.storage import tracked_names

DATABASE = "server.db"

AWAY_S = 5.0
"""Seconds that a server which was killed stays away."""


class KillableServer(AbstractContextManager["KillableServer"]):
    """A tracking server with a database of its own, which can be killed and comes back at its address.

    Args:
        work: folder of the database.
    """

    def __init__(self, work: Path):
        self._database = work / DATABASE
        self._stack = ExitStack()
        self.address = self._stack.enter_context(served(self._database))

    def kill_for_a_while(self, release: Callable[[], None]) -> None:
        """Stop the server with SIGKILL, let the run go on, and start the server again."""
        port = int(self.address.rpartition(":")[2])
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                parent = psutil.Process(connection.pid)
                for process in (parent, *parent.children(recursive=True)):
                    process.kill()
        self._stack.close()
        release()
        time.sleep(AWAY_S)
        self._stack.enter_context(served(self._database, port=port))

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def mlflow_history(database: Path) -> dict[str, Any]:
    """Read from MLflow's database, of each trial: status, and by metric its points or how many there are.

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
    history: dict[str, Any] = {}
    for trial, status, metric, step, value in rows:
        history[f"{trial}: status"] = status
        if metric is not None and not metric.startswith(HOW_OFTEN_VARIES):
            point = (step,) if metric.startswith(TIMED) else (step, value)
            history.setdefault(f"{trial}: {metric}", []).append(point)
    return history
