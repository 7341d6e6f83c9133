"""Run MLflow's own server on a database of this machine, for as long as somebody looks at it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException

from search_spaces.errors import InputError

HOST = "127.0.0.1"
"""Nobody else can reach it: MLflow's server asks for no password."""
PORT = 5000
"""MLflow's own; another one is taken where it is in use."""
ANSWERS_WITHIN_S = 120.0
_ASK_EVERY_S = 0.2
_SILENT_AFTER_S = 2.0
_ENDS_WITHIN_S = 10.0
_LAST_LINES = 20
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A proxy of the environment would look for 127.0.0.1 on its own machine."""


@dataclass(frozen=True)
class LocalServer:
    """A server that answers."""

    address: str
    process: subprocess.Popen[bytes]

    def wait(self) -> int:
        """Wait until the server ends by itself; return its exit code."""
        return self.process.wait()


@contextmanager
def local_server(database: str, port: int | None = None) -> Iterator[LocalServer]:
    """Start MLflow on a database and wait until it answers; it is ended with the block, with all of its processes.

    Args:
        database: address of the database.
        port: to listen on; None for 5000, or a free one where that is in use.

    Raises:
        InputError: the port is in use, or the server ends or is silent instead of answering.
    """
    chosen = _free_port(port)
    address = f"http://{HOST}:{chosen}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", database]
    command += ["--host", HOST, "--port", str(chosen), "--workers", "1"]
    with tempfile.TemporaryFile() as log:
        # A session of its own: its processes can be ended together, whatever the server has started.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            problem = _wait_until_it_answers(process, address)
            if problem is not None:
                log.seek(0)
                lines = log.read().decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
                raise InputError(f"MLflow must answer, but {problem}", place=address, way_out="\n".join(lines) or None)
            yield LocalServer(address, process)
        finally:
            _end(process)


def _free_port(port: int | None) -> int:
    """Return the port to listen on. Raises InputError if the one that was asked for is in use."""
    for candidate in (PORT, 0) if port is None else (port,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((HOST, candidate))
                return int(probe.getsockname()[1])
    raise InputError(f"must be free, but something listens on {HOST}:{port}", key="--port")


def _wait_until_it_answers(process: subprocess.Popen[bytes], address: str) -> str | None:
    """Wait for the first answer; say what is there instead."""
    ends = time.monotonic() + ANSWERS_WITHIN_S
    while time.monotonic() < ends:
        if process.poll() is not None:
            return f"it ended with exit code {process.returncode}"
        if _answers(f"{address}/health"):
            return None
        time.sleep(_ASK_EVERY_S)
    return f"it was silent for {ANSWERS_WITHIN_S:.0f} s"


def _answers(address: str) -> bool:
    try:
        with _DIRECT.open(address, timeout=_SILENT_AFTER_S) as answer:
            return bool(answer.status == 200)
    except (OSError, HTTPException):  # urllib's own errors are of the first kind; the second is no HTTP, or half of it
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server and all that it has started: politely, then at once."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_ENDS_WITHIN_S)
            if not _is_left(process.pid):
                return


def _is_left(group: int) -> bool:
    """Tell whether a process of a group is there."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
