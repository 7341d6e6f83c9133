"""A command that is stopped by a signal ends with a sentence and the code of the signal."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from orchestrator.exit_codes import EXIT_WITHOUT_RAY
from orchestrator.terminal.stops import storage_full, storage_gave_out
from tests.support.command_line import ROOT

WAITS = """
import sys, time
from orchestrator import cli
cli.app = lambda: (print("ready", flush=True), time.sleep(60))
cli.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop_with_a_sentence_in_the_middle_of_any_command(number: signal.Signals) -> None:
    command = [sys.executable, "-c", WAITS]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert errors == f"ablate: stopped by {number.name}; the same command goes on\n"


def test_storage_full_says_what_to_do() -> None:
    assert storage_full("No space left on device: '/s/file'").splitlines() == [
        "no space is left: No space left on device: '/s/file'",
        "Free some space, or give another --storage; the same command goes on.",
    ]


def test_storage_gave_out_says_what_is_wrong_and_that_the_same_command_goes_on() -> None:
    assert storage_gave_out("/s is away (the storage root is gone)").splitlines() == [
        "stopped before the end: /s is away (the storage root is gone)",
        "Once that is mended, the same command goes on.",
    ]


def test_end_without_ray_closes_the_view_and_ends_the_process_from_any_thread() -> None:
    script = """
import threading, time
from orchestrator.terminal.stops import end_without_ray
class View:
    def close(self): print("closed", flush=True)
threading.Thread(target=lambda: end_without_ray(View(), "the head")).start()
time.sleep(60)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert (done.returncode, done.stdout) == (EXIT_WITHOUT_RAY, "closed\n")
    assert done.stderr == "ablate: the head is gone: killed, out of memory, or crashed; the same command goes on\n"
