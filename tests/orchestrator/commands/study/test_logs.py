"""`ablate logs --json`: failed attempts and lines of every worker, as one document."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.command_line import ablate
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.records import Failure
from trainables.storage.store import LocalStore

TRIAL = ("study", "base-s7-0123456789ab")


def _write_logs(root: Path) -> None:
    store = LocalStore(root)
    for rank, text in enumerate(("first\nsecond\n", "of rank 1\n")):
        store.put(layout.worker_log(*TRIAL, rank), text.encode())
    failure = Failure(TRIAL[1], "lost", "a worker is gone", "", layout.worker_log(*TRIAL, 0), 1_795_993_696_000)
    write(store, layout.trial_failure(*TRIAL), failure)


def test_failures_and_lines_are_one_document(tmp_path: Path) -> None:
    _write_logs(tmp_path)
    printed = json.loads(ablate("logs", "base-s7", "--json", storage=tmp_path).stdout)
    assert printed["schema_version"] == 1
    assert (printed["study"], printed["trial"], printed["has_ended"]) == (*TRIAL, True)
    assert [(failure["attempt"], failure["message"]) for failure in printed["failures"]] == [(1, "a worker is gone")]
    lines = [{"rank": 0, "lines": ["first", "second"]}, {"rank": 1, "lines": ["of rank 1"]}]
    assert printed["workers"] == lines


def test_a_document_cannot_be_followed(tmp_path: Path) -> None:
    refused = ablate("logs", "base-s7", "--json", "--follow", storage=tmp_path, check=2)
    assert "--follow: must come without --json" in json.loads(refused.stdout)["error"]["message"]
