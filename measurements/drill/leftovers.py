"""Find the processes of a case, and what a case that is over has left behind: processes, leases, temporary folders."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from cluster.address import EMBEDDED_PREFIX
from trainables.storage.store import LocalStore

CASE = "DRILL_CASE"
"""Variable of the environment, inherited by all processes of a case, that holds the case's folder."""

END_WITHIN_S = 60.0
"""Seconds in which the processes of a command that has ended must be gone."""
POLL_S = 0.1


def processes_of(work: Path) -> list[psutil.Process]:
    """Find the processes of a case by what they have inherited.

    Args:
        work: folder of the case.
    """
    processes = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(CASE) == str(work):
                processes.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return processes


def kill_processes(work: Path) -> None:
    """Kill all processes of a case, and those that they start meanwhile."""
    while processes := processes_of(work):
        for process in processes:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        time.sleep(POLL_S)  # psutil.wait_procs would take the exit code of the driver


def leftovers(work: Path, storage: Path, temporary: Path) -> list[str]:
    """List what a case that is over has left behind, one line each.

    Of the temporary files those of clusters count: libraries keep locks and caches beside them.

    Args:
        work: folder of the case.
        storage: of the case.
        temporary: folder in which its commands made their temporary files.
    """
    deadline = time.monotonic() + END_WITHIN_S
    while (processes := processes_of(work)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return [
        *(f"process left behind: {_command(process)}" for process in processes),
        *(f"lease left behind: {lease}" for lease in sorted(LocalStore(storage).leases())),
        *(f"temporary folder left behind: {path.name}" for path in sorted(temporary.glob(f"*{EMBEDDED_PREFIX}*"))),
    ]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:200]
    except psutil.Error:
        return str(process.pid)
