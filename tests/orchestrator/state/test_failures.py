"""Claims about orchestrator/state/failures.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.state.failures import attempt_line, read_failures, signature, what_failed, where
from search_spaces.outcomes import FailureKind
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.records import Failure
from trainables.storage.store import LocalStore

LOST = Failure(trial="t", kind="lost", message="its process is gone\nmore", traceback="", log="rank-1.log", ts=60_000)


@pytest.mark.parametrize(
    ("failure", "place"),
    [
        (LOST, ""),
        (replace(LOST, host="node-7"), "on node-7"),
        (replace(LOST, rank=0, host="node-7", gpu="3"), "rank 0 on node-7, GPU 3"),
    ],
)
def test_where_says_what_is_known(failure: Failure, place: str) -> None:
    assert where(failure) == place


def test_what_failed_names_the_attempt_from_the_second_on() -> None:
    assert what_failed(LOST) == "its process is gone"
    assert what_failed(replace(LOST, attempt=2, host="node-7")) == "its process is gone (on node-7, attempt 2)"


def test_attempt_line_says_when_what_where_and_what_followed() -> None:
    failure = replace(LOST, kind="memory", message="out of memory", attempt=2, rank=1, host="h", remedy="micro-batch 4")
    line = "=== 1970-01-01T00:01:00+00:00 attempt 2 failed, memory: out of memory (rank 1 on h); then micro-batch 4"
    assert attempt_line(failure) == line


def test_read_failures_has_those_put_aside_first_and_leaves_out_a_damaged_one(tmp_path: Path) -> None:
    store, attempts = LocalStore(tmp_path), [replace(LOST, attempt=number) for number in (1, 2, 3)]
    for number in (1, 2):
        write(store, layout.trial_attempt("s", "t", number), attempts[number - 1])
    write(store, layout.trial_failure("s", "t"), attempts[2])
    assert list(read_failures(store, "s", "t")) == attempts
    store.put(layout.trial_attempt("s", "t", 1), b"")
    assert list(read_failures(store, "s", "t")) == attempts[1:]
    assert read_failures(store, "s", "other") == ()


FRAMES = (
    'Traceback (most recent call last):\n  File "/home/a/trainables/run_trial.py", line 50, in run_trial\n    x\n'
    '  File "/home/a/trainables/data/mixes.py", line {line}, in {function}\n    y\nValueError: z\n'
)


def frames(function: str = "draw", line: int = 7) -> str:
    return FRAMES.format(function=function, line=line)


def failure(message: str, kind: FailureKind = "error", traceback: str = frames()) -> Failure:
    return Failure("t", kind, message, traceback, "rank-0.log", 60_000)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("FileNotFoundError: No such file: '/data/a.json'", "FileNotFoundError: No such file: '/data/b.json'"),
        ("ValueError: 3 of 17 images", "ValueError: 12 of 4 images"),
        ("RuntimeError: bad pointer 0x7f01ab", "RuntimeError: bad pointer 0x9e22cd"),
        ("OSError: /mnt/a/s1 is broken", "OSError: /mnt/b/s9 is broken"),
        ("ValueError: one\nand details 1", "ValueError: one\nand others"),
    ],
)
def test_signature_leaves_out_what_names_the_case(first: str, second: str) -> None:
    assert signature(failure(first)) == signature(failure(second))


def test_signature_tells_kinds_classes_and_places_apart() -> None:
    messages = [
        signature(failure("ValueError: broken")),
        signature(failure("ValueError: broken", kind="lost")),
        signature(failure("TypeError: broken")),
        signature(failure("ValueError: broken", traceback=frames(function="shuffle"))),
        signature(failure("ValueError: broken", traceback=frames(line=8))),
        signature(failure("ValueError: broken", traceback="")),
    ]
    assert len(set(messages)) == len(messages)
    assert messages[0] == "error: ValueError: broken in draw (mixes.py:7)"
