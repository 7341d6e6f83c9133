"""Claims about orchestrator/state/failures.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.state.failures import attempt_line, read_failures, what_failed, where
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
