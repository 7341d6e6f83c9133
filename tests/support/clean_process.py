"""Run something in a process of its own, forked from a server that has no threads.

A fork of the tests' own process inherits locks that its threads hold (torch, Ray, MLflow have such), and may wait for
them without end.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess

CLEAN = multiprocessing.get_context("forkserver")
CLEAN.set_forkserver_preload(["tests.support.tiny_trials", "orchestrator.tracking.embedded_database"])
PATIENCE_S = 300.0


def started(action: Callable[..., object], *arguments: object) -> ForkServerProcess:
    """Start an action, which like its arguments can be pickled, in a process of its own."""
    process = CLEAN.Process(target=action, args=arguments, daemon=True)
    process.start()
    return process


def exit_code(process: ForkServerProcess) -> int:
    """Wait until a process ends, and return its exit code: minus the signal of a killed one, 1 after an exception."""
    process.join(PATIENCE_S)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(f"process {process.pid} did not end within {PATIENCE_S:g} s")
    return process.exitcode
