"""A command that is stopped by a signal ends with a sentence and the code of the signal."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from orchestrator.terminal.stops import storage_full
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
