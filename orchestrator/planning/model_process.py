"""Run a program that loads deep-learning libraries in a process of its own, and return its last line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile

from cluster.connect import package_folder
from search_spaces.errors import InputError

_TIMEOUT_S = 600


def ask(program: str, *arguments: str, about: str, request: str = "", timeout_s: float | None = _TIMEOUT_S) -> str:
    """Run a module as a program and return the last line of its output; see `asking`."""
    with asking(program, *arguments, about=about, request=request, timeout_s=timeout_s) as answer:
        return answer()


@contextmanager
def asking(
    program: str, *arguments: str, about: str, request: str = "", timeout_s: float | None = _TIMEOUT_S
) -> Iterator[Callable[[], str]]:
    """Run a module as a program beside the block, which ends it; yields what waits for the last line of its output.

    That raises an InputError with the last line of its errors, if it failed.

    Args:
        program: name of the module.
        arguments: of its command line.
        about: what it is asked about, the subject of the error.
        request: text that it reads from its standard input.
        timeout_s: limit of the time for which it is waited, in seconds; None for no limit.
    """
    paths = os.pathsep.join(filter(None, (str(package_folder("trainables").parent), os.environ.get("PYTHONPATH"))))
    with ExitStack() as stack:
        given, said, errors = (stack.enter_context(TemporaryFile("w+")) for _ in range(3))  # no pipe: it never waits
        given.write(request)
        given.seek(0)
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", program, *arguments],
                stdin=given,
                stdout=said,
                stderr=errors,
                env={**os.environ, "PYTHONPATH": paths},
            )
        )
        stack.callback(process.kill)  # nothing, if it has ended

        def answer() -> str:
            code = process.wait(timeout_s)
            for file in (said, errors):
                file.seek(0)
            if code != 0:
                last = (errors.read().strip().splitlines() or [f"exit code {code}"])[-1]
                raise InputError(f"{about}, but it failed: {last}")
            return said.read().splitlines()[-1]

        yield answer
