"""Run a program that loads deep-learning libraries in a process of its own, and return its last line."""

from __future__ import annotations

import os
import subprocess
import sys

from cluster.connect import package_folder
from search_spaces.errors import InputError

_TIMEOUT_S = 600


def ask(program: str, *arguments: str, about: str, request: str = "", timeout_s: float | None = _TIMEOUT_S) -> str:
    """Run a module as a program and return the last line of its output.

    Args:
        program: name of the module.
        arguments: of its command line.
        about: what it is asked about, the subject of the error.
        request: text that it reads from its standard input.
        timeout_s: limit of its run time, in seconds; None for no limit.

    Raises:
        InputError: it failed; the last line of its errors is named.
    """
    paths = os.pathsep.join(filter(None, (str(package_folder("trainables").parent), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-m", program, *arguments],
        input=request,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, "PYTHONPATH": paths},
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise InputError(f"{about}, but it failed: {last}")
    return done.stdout.splitlines()[-1]
