"""Notice that a part of Ray is gone before Ray does, which then ends the process without a word.

Ray gives a head 60 s to come back and then leaves through `_exit`; a raylet is given some seconds. Nothing in Python
can catch that, so a thread looks at both and is sooner.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from cluster.address import ask_port

LOOK_EVERY_S = 2.0
"""Seconds between two looks."""


@dataclass(frozen=True)
class Part:
    """A part of Ray that this process cannot live without."""

    is_there: Callable[[], bool]
    patience_s: float
    """Seconds of absence after which it is gone for good."""


def parts_of_ray() -> Mapping[str, Part]:
    """Name what the connected cluster must keep: its head, and the raylet of this machine."""
    import ray

    context = ray.get_runtime_context()
    parts = {"the head of the Ray cluster": Part(lambda: ask_port(context.gcs_address, LOOK_EVERY_S) is None, 45.0)}
    raylet = _raylet_of(context.get_node_id())
    if raylet is not None:
        parts["Ray's process on this machine (raylet)"] = Part(lambda: _is_alive(raylet), 0.0)
    return parts


@contextmanager
def watched(
    parts: Mapping[str, Part], on_gone: Callable[[str], None], look_every_s: float = LOOK_EVERY_S
) -> Iterator[None]:
    """Look at parts of Ray from a thread while the block runs.

    Args:
        parts: their names, for a sentence, and how to look at them.
        on_gone: called in the thread, once, with the name of a part that was away for longer than its patience.
        look_every_s: seconds between two looks.
    """
    ended = threading.Event()

    def watch() -> None:
        seen = dict.fromkeys(parts, time.monotonic())
        while not ended.wait(look_every_s):
            for name, part in parts.items():
                if part.is_there():
                    seen[name] = time.monotonic()
                elif time.monotonic() - seen[name] > part.patience_s:
                    on_gone(name)
                    return

    thread = threading.Thread(target=watch, name="ray-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _raylet_of(node_id: str) -> psutil.Process | None:
    """Find the raylet of a node among the processes of this machine; None where they cannot be seen."""
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "raylet" and f"--node_id={node_id}" in (process.info["cmdline"] or []):
            return process
    return None


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
