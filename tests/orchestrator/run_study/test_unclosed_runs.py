"""A run that was killed before it had closed its runs on the tracking server is closed by the next command."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.planning.plan_json import plan_json
from orchestrator.planning.planned import PlanOptions, RunOptions
from orchestrator.run_study import show_version
from orchestrator.state.documents import PlanDocument
from orchestrator.state.ledger import read_ledger
from orchestrator.tracking import mlflow_connect
from orchestrator.tracking.unclosed import has_unclosed
from orchestrator.tracking.uploader import Uploader
from tests.support.memory_tracker import MemoryTracker
from tests.support.spools import PLAN, TRIAL, spool_of, write_steps
from tests.support.stored_studies import study_of
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.store import LocalStore


@pytest.fixture
def tracker(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> MemoryTracker:
    """A server that has a run of a trial, which nobody has closed: its driver was killed."""
    tracker = MemoryTracker()
    write_steps(spool_of(store), range(3))
    write(store, layout.plan_file(PLAN.study), PlanDocument(plan_json(PLAN)))
    uploader = Uploader(tracker, store, study_of(), PLAN, poll_s=0.01).start()
    assert uploader.drain(30)
    tracker.status[tracker.runs[TRIAL]] = "RUNNING"
    monkeypatch.setattr(mlflow_connect, "open_tracker", lambda uri, storage: tracker)
    monkeypatch.setattr(mlflow_connect, "open_command", lambda tracker: "how to open it")
    return tracker


def show(store: LocalStore) -> str | None:
    options = RunOptions(PlanOptions(storage=store.root, data=Path("/data")))
    return show_version(study_of(), PLAN, read_ledger(PLAN, store), store, options, Console())


def test_show_version_runs_that_a_kill_left_open_get_their_true_status(
    store: LocalStore, tracker: MemoryTracker
) -> None:
    assert has_unclosed(store, PLAN.study)
    assert show(store) == "how to open it"
    assert tracker.status[tracker.runs[TRIAL]] == "KILLED"
    assert not has_unclosed(store, PLAN.study)


def test_show_version_a_study_that_is_shown_whole_opens_no_server(store: LocalStore, tracker: MemoryTracker) -> None:
    store.remove(layout.unclosed_runs(PLAN.study))
    assert show(store) is None
    assert tracker.status[tracker.runs[TRIAL]] == "RUNNING"
