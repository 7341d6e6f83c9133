"""Claims about orchestrator/running/dispatcher.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cluster.fit import NodeResources
from orchestrator.running.dispatcher import Dispatcher
from orchestrator.running.schedule import FINISHED
from tests.support.fake_trials import STUDY, Fakes
from tests.support.other_hosts import take_over
from tests.support.small_records import stage_result
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.store import LocalStore


def dispatcher(fakes: Fakes, store: LocalStore, prepared: list[str] | None = None, cpus: float = 8) -> Dispatcher:
    prepare = (lambda trial: None) if prepared is None else prepared.append
    return Dispatcher(fakes.work, fakes.nodes, (), [NodeResources("node", cpus)], store, STUDY, prepare)


def finish_stage(store: LocalStore, node: str) -> None:
    write(store, layout.stage_result(f"key-{node}"), stage_result(f"key-{node}"))


def test_next_trial_dispatched_is_prepared_and_leased(store: LocalStore, tmp_path: Path) -> None:
    prepared: list[str] = []
    run = dispatcher(Fakes(tmp_path, {"a": ["s1", "s2"]}), store, prepared)
    assert run.next() == "a"
    assert prepared == ["a"]
    assert all(store.lease_owner(name) for name in ("key-s1", "key-s2", layout.trial_lease(STUDY, "a")))


def test_next_two_runs_on_one_storage_never_dispatch_the_same_work(store: LocalStore, tmp_path: Path) -> None:
    fakes = Fakes(tmp_path, {"a": ["s1", "a1"], "b": ["s1", "b1"], "c": ["c1"]})
    first, second = dispatcher(fakes, store, cpus=1), dispatcher(fakes, store)
    assert first.next() == "a"
    assert second.next() == "c"
    assert second.next() is None


def test_poll_other_runs_stage_finished_by_another_run_its_follower_starts(store: LocalStore, tmp_path: Path) -> None:
    fakes = Fakes(tmp_path, {"a": ["s1", "a1"], "b": ["s1", "b1"]})
    first, second = dispatcher(fakes, store, cpus=1), dispatcher(fakes, store)
    assert first.next() == "a"
    assert second.next() is None
    finish_stage(store, "s1")
    second.poll_other_runs()
    assert second.next() == "b"
    assert store.lease_owner("key-s1") is not None  # still the first run's: nobody needed it again


def test_poll_other_runs_stage_given_up_by_another_run_is_taken_over(store: LocalStore, tmp_path: Path) -> None:
    fakes = Fakes(tmp_path, {"a": ["s1"]})
    first, second = dispatcher(fakes, store), dispatcher(fakes, store)
    assert first.next() == "a"
    assert second.next() is None
    second.poll_other_runs()
    assert second.next() is None
    first.close()
    second.poll_other_runs()
    assert second.next() == "a"


def test_next_stage_finished_between_plan_and_lease_is_not_leased(store: LocalStore, tmp_path: Path) -> None:
    run = dispatcher(Fakes(tmp_path, {"a": ["s1", "s2"]}), store)
    finish_stage(store, "s1")
    assert run.next() == "a"
    assert store.lease_owner("key-s1") is None
    assert store.lease_owner("key-s2") is not None


def test_node_done_result_on_storage_frees_the_lease_and_the_followers(store: LocalStore, tmp_path: Path) -> None:
    run = dispatcher(Fakes(tmp_path, {"a": ["s1", "a1"], "b": ["s1", "b1"]}), store)
    assert (run.next(), run.next()) == ("a", None)
    finish_stage(store, "s1")
    assert run.node_done("s1")
    assert store.lease_owner("key-s1") is None
    assert run.next() == "b"


def test_node_done_without_a_result_on_storage_is_not_believed(store: LocalStore, tmp_path: Path) -> None:
    run = dispatcher(Fakes(tmp_path, {"a": ["s1"], "b": ["s1"]}), store)
    assert run.next() == "a"
    assert not run.node_done("s1")
    assert store.lease_owner("key-s1") is not None
    assert run.next() is None


def test_ended_failed_leader_its_leases_go_to_the_trial_that_takes_its_place(store: LocalStore, tmp_path: Path) -> None:
    run = dispatcher(Fakes(tmp_path, {"a": ["s1", "a1"], "b": ["s1", "b1"]}), store)
    assert run.next() == "a"
    run.ended("a", group_kept=False)
    assert store.lease_owner("key-a1") is None
    assert run.next() == "b"
    assert store.lease_owner("key-s1") is not None
    assert run.next() is FINISHED


def test_renew_lease_taken_over_names_the_trial_that_must_stop(store: LocalStore, tmp_path: Path) -> None:
    run = dispatcher(Fakes(tmp_path, {"a": ["s1"], "b": ["s2"]}), store)
    assert {run.next(), run.next()} == {"a", "b"}
    take_over(tmp_path, "key-s2")
    assert run.renew() == ("b",)


def test_dispatcher_stage_without_a_key_is_refused_naming_what_is_missing(store: LocalStore, tmp_path: Path) -> None:
    fakes = Fakes(tmp_path, {"a": ["s1"]})
    nodes = {**fakes.nodes, "s1": replace(fakes.nodes["s1"], key=None, missing=("source:vqa",))}
    with pytest.raises(ValueError, match=r"s1.*source:vqa"):
        Dispatcher(fakes.work, nodes, (), [NodeResources("node", 1)], store, STUDY, lambda trial: None)
