"""Kill a process at its k-th file operation or statement to a database: SIGKILL, as a machine or a scheduler would."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from multiprocessing.connection import Connection

from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.support.clean_process import CLEAN, exit_code, started

OPERATIONS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.truncate", "sqlite3.connect"}
"""Events of `sys.audit` that are counted, beside files that are opened to write to them. Writes to a database that is
open show as statements."""


def operations_of(action: Callable[[], object]) -> int:
    """Count the operations of an action, in a process that performs it to its end."""
    receiver, sender = CLEAN.Pipe(duplex=False)
    process = started(_perform, action, None, sender)
    assert exit_code(process) == 0, "the action must succeed where nothing kills it"
    return int(receiver.recv())


def kill_at(operation: int, action: Callable[[], object]) -> None:
    """Perform an action in a process that is killed just before one of its operations."""
    assert exit_code(started(_perform, action, operation, None)) == -signal.SIGKILL


def _perform(action: Callable[[], object], killed_at: int | None, operations: Connection | None) -> None:
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
    if operations is not None:
        operations.send(next(counted))
