"""Kill the victim of a case at its moment, while everything that changes files waits."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import assert_never

import psutil

from measurements.drill.interposer import Control
from measurements.drill.leftovers import kill_processes
from measurements.drill.operations import read_log
from measurements.drill.run_cases import Victim
from measurements.drill.tracking_server import KillableServer

_NAMES = {"raylet KILL": "raylet", "GCS KILL": "gcs_server"}


def kill_victim(
    victim: Victim, driver: subprocess.Popen[bytes], work: Path, control: Control, server: KillableServer | None
) -> None:
    """Kill the victim of a case.

    Args:
        victim: what is killed.
        driver: process of `ablate run`.
        work: folder of the case.
        control: what the run's processes obey.
        server: the run's tracking server, if it has one that can be killed.
    """
    match victim:
        case "driver KILL" | "driver KILL beside another":
            driver.send_signal(signal.SIGKILL)
        case "driver TERM":
            driver.send_signal(signal.SIGTERM)
        case "driver INT":
            driver.send_signal(signal.SIGINT)
        case "worker KILL":
            pass  # it has killed itself
        case "one rank of two KILL":
            psutil.Process(_process_of_rank_1(control)).kill()
        case "raylet KILL" | "GCS KILL":
            for process in psutil.Process(driver.pid).children(recursive=True):
                if process.name().startswith(_NAMES[victim]):
                    process.kill()
        case "MLflow server KILL":
            assert server is not None
            server.kill_for_a_while()
        case "power cut":
            kill_processes(work)
        case _:
            assert_never(victim)


def _process_of_rank_1(control: Control) -> int:
    """Find the process that made the newest log of rank 1."""
    return [record.process for record in read_log(control.log) if record.path.endswith("rank-1.log")][-1]
