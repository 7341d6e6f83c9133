"""Claims about cluster/stack_dump.py, on processes that hang in different ways."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cluster.process import Process
from cluster.stack_dump import StackDump, dump_stacks, innermost_frames

ROOT = Path(__file__).parents[2]
PREPARED = "from cluster.stack_dump import dump_on_signal; dump_on_signal()\n"
HOLDS_THE_LOCK = "import ctypes\ndef stuck():\n    print('ready', flush=True)\n    ctypes.PyDLL(None).pause()\n"
"""PyDLL keeps the interpreter's lock: no Python code of this process runs any more."""

Hang = Callable[..., tuple[subprocess.Popen[str], Process]]


@pytest.fixture
def hang(tmp_path: Path) -> Iterator[Hang]:
    """Starts a script that prints a line and then hangs; its stderr goes to the file `log`."""
    begun: list[subprocess.Popen[str]] = []

    def start(script: str, stderr: int | None = None) -> tuple[subprocess.Popen[str], Process]:
        with (tmp_path / "log").open("a") as log:
            log.write("an earlier line\n")
            log.flush()
            process = subprocess.Popen(
                [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=stderr or log, text=True, cwd=ROOT
            )
        begun.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process, Process("here", process.pid, psutil.Process(process.pid).create_time())

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def test_dump_process_stuck_in_c_with_the_interpreters_lock_still_shows_its_stack(hang: Hang, tmp_path: Path) -> None:
    _, process = hang(PREPARED + HOLDS_THE_LOCK + "stuck()")
    dump = dump_stacks(process)
    assert "in stuck" in dump.text
    assert "an earlier line" not in dump.text
    assert dump.file == str(tmp_path / "log")
    assert (tmp_path / "log").read_text() == "an earlier line\n" + dump.text
    assert re.fullmatch(r"in stuck \(<string>:[45]\)", dump.said)


def test_dump_stopped_process_is_named_so_and_gets_no_signal(hang: Hang) -> None:
    stopped, process = hang(PREPARED + "import time; print('ready', flush=True); time.sleep(600)")
    stopped.send_signal(signal.SIGSTOP)
    while psutil.Process(stopped.pid).status() != psutil.STATUS_STOPPED:
        pass
    dump = dump_stacks(process)
    assert (dump.text, dump.said) == ("", "no stack could be had, it is stopped (SIGSTOP, or a debugger)")


def test_dump_process_without_a_handler_is_not_ended_by_the_signal(hang: Hang) -> None:
    unprepared, process = hang("import time; print('ready', flush=True); time.sleep(600)")
    assert dump_stacks(process).said == "no stack could be had, it was not ready to dump one"
    assert unprepared.poll() is None


def test_dump_process_whose_output_goes_to_a_pipe_is_named_so(hang: Hang) -> None:
    _, process = hang(PREPARED + "import time; print('ready', flush=True); time.sleep(600)", stderr=subprocess.PIPE)
    assert dump_stacks(process).problem == "its output goes to no file"


def test_dump_process_that_has_ended_is_gone(hang: Hang) -> None:
    ended, process = hang("print('ready', flush=True)")
    ended.wait(timeout=60)
    assert dump_stacks(process).problem == "its process is gone"
    assert dump_stacks(Process("here", 1, process.started)).problem == "its process is gone"


def test_innermost_frames_are_of_the_thread_that_runs_this_program_with_its_own_last_frames() -> None:
    package = "/venv/site-packages/torch/distributed"
    text = f"""Thread 0x00007f01 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 331 in wait

Current thread 0x00007f02 (most recent call first):
  File "{package}/distributed_c10d.py", line 3012 in all_reduce
  File "{package}/c10d_logger.py", line 81 in wrapper
  File "{ROOT}/trainables/training/engine.py", line 99 in step
  File "{ROOT}/trainables/training/stage.py", line 170 in train
  File "{ROOT}/trainables/run_trial.py", line 60 in run_trial

Thread 0x00007f03 (most recent call first):
  File "/venv/site-packages/ray/_private/worker.py", line 1 in main_loop
"""
    assert innermost_frames(text) == (
        "all_reduce (distributed/distributed_c10d.py:3012), called by step (trainables/training/engine.py:99),"
        " called by train (trainables/training/stage.py:170)"
    )


def test_innermost_frames_of_a_process_that_is_not_in_this_program() -> None:
    assert innermost_frames('Current thread 0x1 (most recent call first):\n  File "/a/b/c.py", line 3 in d') == (
        "d (b/c.py:3)"
    )
    assert innermost_frames("cut off") == "no frame of Python"


def test_waits_for_others_only_in_a_collective_operation_or_at_the_meeting_point_before_it() -> None:
    collective = (
        'Thread 0x1 (most recent call first):\n  File "/v/torch/distributed/distributed_c10d.py", line 1 in f\n'
    )
    assert StackDump(collective).waits_for_others
    assert StackDump(
        collective.replace("torch/distributed/distributed_c10d", "trainables/workers/process_group")
    ).waits_for_others
    assert not StackDump(collective.replace("torch/distributed", "torch/utils/data")).waits_for_others
    assert not StackDump(problem="it is stopped").waits_for_others
