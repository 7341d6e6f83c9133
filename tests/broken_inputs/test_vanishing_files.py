"""Storages whose files appear and vanish while they are looked at: something is shown, and nothing raised."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.state.ledger import read_ledger
from orchestrator.state.status import study_status
from orchestrator.storage.collect import Selection, find_freeable
from orchestrator.storage.studies import overview
from orchestrator.storage.verify import jobs_of, verify
from orchestrator.tracking.sync import sync_study
from search_spaces.plan import Plan
from tests.support.broken_inputs import TIMES, TRIED
from tests.support.memory_tracker import MemoryTracker
from tests.support.several_studies import begin, checkpoint, declare, finish
from tests.support.stored_studies import fail_trial, study_of
from trainables.storage import layout
from trainables.storage.store import LocalStore

LOOKS = 12
"""Times that each view is taken, multiplied by `BROKEN_INPUTS_TIMES`."""

VIEWS: dict[str, Callable[[Plan, LocalStore], object]] = {
    "list": lambda plan, store: store.list(""),
    "ledger": lambda plan, store: read_ledger(plan, store),
    "status": lambda plan, store: study_status(plan, store),
    "studies": lambda plan, store: overview(store),
    "gc": lambda plan, store: find_freeable(store, store.root, Selection()),
    "verify": lambda plan, store: verify(store, *jobs_of(store), "content"),
    "sync": lambda plan, store: sync_study(study_of(), plan, store, MemoryTracker()),
}
"""Command -> what it looks at a storage with."""


@contextmanager
def changing(store: LocalStore, plan: Plan) -> Iterator[None]:
    """Train and fail trials, write and drop checkpoints, set files aside and remove all of it, again and again."""
    done = threading.Event()
    problems: list[Exception] = []

    def repeat(change: Callable[[], None]) -> None:
        try:
            while not done.is_set():
                change()
        except Exception as problem:  # told below, in the thread of the test
            problems.append(problem)

    first, second = plan.trials[:2]

    def checkpoints() -> None:
        for node in first.stage_nodes(plan):
            for step in range(3):
                checkpoint(store, node.key or "", step)
            store.put(f"{layout.unfinished_folder(node.key or '', 'nonce')}/rank-0.pt", b"x")
            store.remove(layout.checkpoints(node.key or ""))

    def trials() -> None:
        begin(store, plan, second)
        fail_trial(store, plan, second)
        finish(store, plan, [second])
        store.remove(layout.trial_result(plan.study, second.id))
        store.remove(layout.trial_failure(plan.study, second.id))
        for node in second.stage_nodes(plan):
            store.remove(layout.stage_folder(node.key or ""))

    threads = [threading.Thread(target=repeat, args=(change,)) for change in (checkpoints, trials)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert problems == []


@pytest.mark.parametrize("view", VIEWS)
def test_a_look_at_a_storage_that_changes_meanwhile_raises_nothing(view: str, tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "storage")
    plan = declare(store, "small", steps=(4, 8), seeds=(7, 8)).plan
    finish(store, plan, plan.trials[2:])
    with changing(store, plan):
        for _ in range(LOOKS * TIMES):
            TRIED["vanishing files"] += 1
            VIEWS[view](plan, store)
