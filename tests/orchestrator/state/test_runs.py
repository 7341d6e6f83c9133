"""Runs of a study are known by a lease each, and a request to end is addressed to one of them."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.state import runs
from orchestrator.state.runs import ask_to_stop, forget_old_runs, last_run, living_runs
from trainables.storage import layout
from trainables.storage.owner import Owner
from trainables.storage.record_files import read, write
from trainables.storage.records import RunRecord, StopRequest
from trainables.storage.store import LocalStore


def _begin(store: LocalStore, nonce: str, began: int, owner: Owner | None = None, study: str = "small") -> None:
    write(
        store, layout.run_record(study, nonce), RunRecord(nonce, "login1", 7, "ada@login1", began, "ablate run small")
    )
    if owner is not None:
        assert store.lease(layout.run_lease(study, nonce), owner)


def test_runs_that_go_on_are_those_whose_lease_is_held_by_a_living_process(store: LocalStore) -> None:
    _begin(store, "second", 2, Owner.here())
    _begin(store, "first", 1, Owner.here())
    _begin(store, "killed", 3, replace(Owner.here(), started=1.0))
    _begin(store, "ended", 4)
    _begin(store, "other", 5, Owner.here(), study="small-toy")
    assert [run.record.nonce for run in living_runs(store, "small")] == ["first", "second"]
    last = last_run(store, "small")
    assert last is not None
    assert last.nonce == "ended"
    assert last_run(store, "unknown") is None


def test_a_run_whose_record_is_lost_is_known_by_its_lease(store: LocalStore) -> None:
    assert store.lease(layout.run_lease("small", "abc"), Owner.here())
    (run,) = living_runs(store, "small")
    assert run.place == f"{Owner.here().host} (pid {Owner.here().pid})"


def test_a_request_to_end_is_addressed_to_one_run(store: LocalStore) -> None:
    _begin(store, "first", 1, Owner.here())
    _begin(store, "second", 2, Owner.here())
    ask_to_stop(store, living_runs(store, "small")[0], within_s=5.0)
    request = read(store, layout.stop_request("small", "first"), StopRequest)
    assert request is not None
    assert (request.by, request.within_s) == (runs.this_user(), 5.0)
    assert not store.exists(layout.stop_request("small", "second"))


def test_old_records_are_removed_but_never_those_of_runs_that_go_on(store: LocalStore) -> None:
    _begin(store, "alive", 0, Owner.here())
    _begin(store, "killed", 0, replace(Owner.here(), started=1.0))
    for number in range(runs.KEPT_RECORDS + 3):
        _begin(store, f"n{number}", number + 1)
    forget_old_runs(store, "small")
    left = store.folders(layout.runs("small"))
    assert store.leases() == {layout.run_lease("small", "alive")}
    assert len(left) == runs.KEPT_RECORDS + 1
    assert "alive" in left
    assert "n2" not in left
