"""Claims about orchestrator/doctor/ask.py: nothing that is asked can hold up who asks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import NoReturn

from orchestrator.doctor.ask import ask_all, ask_apart
from orchestrator.doctor.facts import Gpu, Unanswered

HANGS = """
import threading
from orchestrator.doctor.ask import ask_apart
from orchestrator.doctor.facts import Gpu
print(ask_apart(threading.Event().wait, Gpu, 0.1).reason)
"""
ROOT = Path(__file__).parents[3]


def _breaks() -> NoReturn:
    raise OSError(5, "Input/output error")


def _dies() -> NoReturn:
    os._exit(1)


def test_answers_come_back_from_threads_and_from_another_process() -> None:
    gpu = Gpu("H200", 141)
    assert ask_all({"gpu": lambda: gpu, "pid": os.getpid}, 60) == {"gpu": gpu, "pid": os.getpid()}
    assert ask_apart(lambda: gpu, Gpu, 60) == gpu
    other = ask_apart(lambda: Gpu("pid", os.getpid()), Gpu, 60)
    assert isinstance(other, Gpu)
    assert other.memory_bytes != os.getpid()


def test_question_that_raises_is_answered_with_what_went_wrong() -> None:
    for answer in (ask_all({"broken": _breaks}, 60)["broken"], ask_apart(_breaks, Gpu, 60)):
        assert isinstance(answer, Unanswered)
        assert "Input/output error" in answer.reason


def test_process_that_dies_over_a_question_is_no_answer() -> None:
    assert ask_apart(_dies, Gpu, 60) == Unanswered("ended the process that asked it")


def test_question_that_hangs_in_a_thread_does_not_hold_up_the_others() -> None:
    over = threading.Event()
    answers = ask_all({"hangs": over.wait, "answers": os.getpid}, 60, {"hangs": 0.1})
    over.set()
    assert answers == {"hangs": Unanswered("gave no answer within 0.1 s"), "answers": os.getpid()}


def test_process_that_hangs_keeps_nobody_waiting_who_reads_the_output() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGS],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout == "gave no answer within 0.1 s\n"
