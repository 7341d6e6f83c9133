"""Kill a process at its k-th file operation or statement to a database: SIGKILL, as a machine or a scheduler would."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from itertools import count

from sqlalchemy import event
from sqlalchemy.engine import Engine

OPERATIONS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.truncate", "sqlite3.connect"}
"""Events of `sys.audit` that are counted, beside files that are opened to write to them. Writes to a database that is
open show as statements."""


def operations_of(action: Callable[[], object]) -> int:
    """Count the operations of an action, in a forked process that performs it to its end."""
    readable, writable = os.pipe()
    process = _forked(action, None, writable)
    os.close(writable)
    with os.fdopen(readable) as stream:
        text = stream.read()
    _, status = os.waitpid(process, 0)
    assert status == 0, "the action must succeed where nothing kills it"
    return int(text)


def kill_at(operation: int, action: Callable[[], object]) -> None:
    """Perform an action in a forked process that is killed just before one of its operations."""
    _, status = os.waitpid(_forked(action, operation, None), 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def _forked(action: Callable[[], object], killed_at: int | None, writable: int | None) -> int:
    process = os.fork()
    if process:
        return process
    try:
        counted = count()

        def step() -> None:
            if next(counted) == killed_at:
                os.kill(os.getpid(), signal.SIGKILL)

        def watch(name: str, arguments: tuple[object, ...]) -> None:
            is_write = name == "open" and isinstance(flags := arguments[2], int) and flags & (os.O_WRONLY | os.O_RDWR)
            if name in OPERATIONS or is_write:
                step()

        sys.addaudithook(watch)
        event.listen(Engine, "before_cursor_execute", lambda *arguments: step())
        action()
        if writable is not None:
            os.write(writable, str(next(counted)).encode())
        os._exit(0)
    finally:
        os._exit(1)
