"""A part of Ray that is gone is told once, after its patience; one that comes back in time is not."""

from __future__ import annotations

import subprocess
import sys
import threading

import psutil
import pytest

from cluster.ray_watch import Part, _is_alive, watched


def test_watched_tells_the_part_that_is_gone_once() -> None:
    gone: list[str] = []
    told = threading.Event()

    def on_gone(name: str) -> None:
        gone.append(name)
        told.set()

    parts = {"head": Part(lambda: True, 0.0), "raylet": Part(lambda: False, 0.0)}
    with watched(parts, on_gone, look_every_s=0.001):
        assert told.wait(30)
    assert gone == ["raylet"]


def test_watched_bears_a_part_that_comes_back_within_its_patience() -> None:
    looks = 0
    back = threading.Event()

    def is_there() -> bool:
        nonlocal looks
        looks += 1
        if looks > 50:
            back.set()
        return looks % 2 == 0

    with watched({"head": Part(is_there, 3600.0)}, lambda name: pytest.fail(name), look_every_s=0.001):
        assert back.wait(30)


def test_a_raylet_that_was_killed_and_not_yet_buried_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = psutil.Process(child.pid)
        assert _is_alive(process)
        child.kill()
        while process.status() != psutil.STATUS_ZOMBIE:
            pass
        assert not _is_alive(process)
    assert not _is_alive(process)
