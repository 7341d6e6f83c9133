"""Claims about cluster/watchdog.py."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from cluster.process import Process
from cluster.watchdog import Watchdog, kill

HERE = Process("node", 4711, 0.0)


def test_expired_only_after_its_timeout_and_returned_once() -> None:
    watch = Watchdog()
    watch.heartbeat("a", HERE, now=100.0, timeout_s=10.0)
    assert watch.expired(110.0) == []
    (missed,) = watch.expired(112.0)
    assert (missed.name, missed.process, missed.seconds) == ("a", HERE, 12.0)
    assert watch.expired(200.0) == []


def test_heartbeat_starts_a_new_wait_with_its_own_timeout() -> None:
    watch = Watchdog()
    watch.heartbeat("a", HERE, now=0.0, timeout_s=10.0)
    watch.heartbeat("a", HERE, now=9.0, timeout_s=600.0)
    assert watch.expired(300.0) == []


def test_forget_ended_trial_is_not_missed() -> None:
    watch = Watchdog()
    watch.heartbeat("a", HERE, now=0.0, timeout_s=1.0)
    watch.forget("a")
    assert watch.expired(9.0) == []


@pytest.fixture
def sleeper() -> subprocess.Popen[bytes]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process  # type: ignore[misc]
        process.kill()


def test_kill_stopped_process_ends(sleeper: subprocess.Popen[bytes]) -> None:
    process = Process("node", sleeper.pid, psutil.Process(sleeper.pid).create_time())
    sleeper.send_signal(signal.SIGSTOP)
    assert kill(process)
    assert sleeper.wait(timeout=10) == -signal.SIGKILL


def test_kill_other_process_that_has_got_the_pid_meanwhile_is_spared(sleeper: subprocess.Popen[bytes]) -> None:
    process = Process("node", sleeper.pid, psutil.Process(sleeper.pid).create_time())
    assert not kill(replace(process, started=process.started - 60))
    assert sleeper.poll() is None
