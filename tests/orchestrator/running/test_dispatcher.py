"""Claims about orchestrator/running/dispatcher.py."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster.fit import NodeResources
from orchestrator.running.dispatcher import Dispatcher
from orchestrator.running.schedule import FINISHED
from tests.support.fake_trials import STUDY, Fakes
from tests.support.other_hosts import ELSEWHERE, take_over
from tests.support.small_records import stage_result
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.store import LocalStore
from trainables.workers.tune_trial import RESULTS_PER_S, report_every_s


def dispatcher(
    fakes: Fakes,
    store: LocalStore,
    prepared: list[tuple[str, tuple[str, ...]]] | None = None,
    cpus: float = 8,
    done: Sequence[str] = (),
    nodes: Sequence[NodeResources] = (),
    **options: Any,
) -> Dispatcher:
    def prepare(trial: str, leased: tuple[str, ...]) -> None:
        if prepared is not None:
            prepared.append((trial, leased))

    cluster = nodes or [NodeResources("node", cpus)]
    return Dispatcher(fakes.work, fakes.nodes, done, cluster, store, STUDY, fakes.needed(store), prepare, **options)


def finish_stage(store: LocalStore, node: str) -> None:
    write(store, layout.stage_result(f"key-{node}"), stage_result(f"key-{node}"))


def test_next_trial_dispatched_is_prepared_and_leased(store: LocalStore, tmp_path: Path) -> None:
    prepared: list[tuple[str, tuple[str, ...]]] = []
    run = dispatcher(Fakes(tmp_path, {"a": ["s1", "s2"]}), store, prepared)
    assert run.next() == "a"
    assert prepared == [("a", ("s1", "s2"))]
    assert all(store.lease_owner(name) for name in ("key-s1", "key-s2", layout.trial_lease(STUDY, "a")))


def test_next_two_runs_on_one_storage_never_dispatch_the_same_work(store: LocalStore, tmp_path: Path) -> None:
    fakes = Fakes(tmp_path, {"a": ["s1", "a1"], "b": ["s1", "b1"], "c": ["c1"]})
    first, second = dispatcher(fakes, store, cpus=1), dispatcher(fakes, store)
    assert first.next() == "a"
    assert second.next() == "c"
    assert second.next() is None


def test_next_trials_of_two_studies_that_share_all_stages_are_evaluated_one_after_the_other(
    store: LocalStore, tmp_path: Path
) -> None:
    finish_stage(store, "s1")
    mine, theirs = (Fakes(tmp_path, {trial: ["s1"]}) for trial in ("mine", "theirs"))
    first, second = (dispatcher(fakes, store, done=["s1"]) for fakes in (mine, theirs))
    assert (first.next(), second.next()) == ("mine", None)
    second.poll_other_runs()
    assert second.next() is None
    first.ended("mine", group_kept=True)
    second.poll_other_runs()
    assert second.next() == "theirs"


def test_next_trials_of_one_study_that_share_all_stages_are_evaluated_one_after_the_other(
    store: LocalStore, tmp_path: Path
) -> None:
    finish_stage(store, "s1")
    run = dispatcher(Fakes(tmp_path, {"a": ["s1"], "b": ["s1"]}), store, done=["s1"])
    assert (run.next(), run.next()) == ("a", None)
    run.ended("a", group_kept=True)
    assert run.next() == "b"


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
    run.ended("b", group_kept=False)
    assert run.next() is FINISHED


def test_suspend_gives_the_leases_back_and_resume_takes_them_again(store: LocalStore, tmp_path: Path) -> None:
    run = dispatcher(Fakes(tmp_path, {"a": ["s1"]}), store)
    assert run.next() == "a"
    run.suspend("a", group_kept=False)
    assert store.lease_owner("key-s1") is None
    assert run.next() is None
    run.resume("a")
    assert run.next() == "a"
    assert store.lease_owner("key-s1") is not None


def test_suspend_a_done_stage_that_was_found_damaged_is_leased_and_produced_again(
    store: LocalStore, tmp_path: Path
) -> None:
    fakes = Fakes(tmp_path, {"a": ["s1", "a1"], "b": ["s1", "b1"]})
    finish_stage(store, "s1")
    run = dispatcher(fakes, store, done=["s1"])
    assert [run.next(), run.next()] == ["a", "b"]
    assert store.lease_owner("key-s1") is None
    store.put(layout.stage_result("key-s1"), b"{")
    for trial in "ab":
        run.suspend(trial, group_kept=False)
        run.resume(trial)
    assert run.next() == "a"
    assert store.lease_owner("key-s1") is not None
    assert run.next() is None  # it waits for what the first makes again


def test_next_stage_that_was_lost_after_the_plan_is_leased_before_it_is_produced(
    store: LocalStore, tmp_path: Path
) -> None:
    """As by `ablate gc`, a person, or another run that makes it again and then dies."""
    prepared: list[tuple[str, tuple[str, ...]]] = []
    run = dispatcher(Fakes(tmp_path, {"a": ["s1", "a1"]}), store, prepared, done=["s1"])
    assert run.next() == "a"
    assert prepared == [("a", ("s1", "a1"))]
    assert store.lease_owner("key-s1") is not None


def test_next_stage_that_another_run_makes_again_is_waited_for(store: LocalStore, tmp_path: Path) -> None:
    prepared: list[tuple[str, tuple[str, ...]]] = []
    run = dispatcher(Fakes(tmp_path, {"a": ["s1", "a1"]}), store, prepared, done=["s1"])
    other = store.lease("key-s1", ELSEWHERE)
    assert other is not None
    assert run.next() is None
    assert prepared == []
    finish_stage(store, "s1")
    other.release()
    run.poll_other_runs()
    assert run.next() == "a"
    assert prepared == [("a", ("a1",))]


def test_next_stage_that_is_done_or_finished_meanwhile_is_not_among_those_to_produce(
    store: LocalStore, tmp_path: Path
) -> None:
    prepared: list[tuple[str, tuple[str, ...]]] = []
    run = dispatcher(Fakes(tmp_path, {"a": ["s1", "s2", "s3"]}), store, prepared, done=["s1"])
    finish_stage(store, "s1")
    finish_stage(store, "s2")
    assert run.next() == "a"
    assert prepared == [("a", ("s3",))]


def test_resume_avoided_nodes_are_avoided_only_where_others_have_room(store: LocalStore, tmp_path: Path) -> None:
    fakes = Fakes(tmp_path, {"a": ["s1"]})
    both = [NodeResources("bad", 1), NodeResources("good", 1)]
    run = dispatcher(fakes, store, nodes=both)
    assert run.next() == "a"
    run.suspend("a", group_kept=False)
    run.resume("a", ("bad",))
    assert run.avoided("a") == ("bad",)
    run.resize(both[:1])
    assert run.avoided("a") == ()
    assert run.next() == "a"


def test_next_storage_that_takes_no_task_lets_the_trial_wait_and_holds_no_lease(
    store: LocalStore, tmp_path: Path
) -> None:
    fakes, refusals = Fakes(tmp_path, {"a": ["s1"]}), [OSError(errno.ENOSPC, "No space left on device")]

    def prepare(trial: str, leased: tuple[str, ...]) -> None:
        if refusals:
            raise refusals.pop()

    cluster = [NodeResources("node", 1)]
    run = Dispatcher(fakes.work, fakes.nodes, (), cluster, store, STUDY, fakes.needed(store), prepare)
    with pytest.raises(OSError, match="No space"):
        run.next()
    assert store.lease_owner("key-s1") is None
    assert run.next() == "a"


def test_saved_counts_done_nodes_and_the_steps_of_the_newest_checkpoint(store: LocalStore, tmp_path: Path) -> None:
    run = dispatcher(Fakes(tmp_path, {"a": ["s1", "s2"]}), store)
    assert run.next() == "a"
    assert run.saved("a") == (0, 0)
    for step in (4, 12):
        store.put(f"{layout.step_checkpoint('key-s1', step)}/manifest.json", b"{}")
    assert run.saved("a") == (0, 12)
    write(store, layout.stage_result("key-s1"), stage_result("key-s1"))
    assert run.node_done("s1")
    assert run.saved("a") == (1, 0)


def test_renew_lease_taken_over_names_the_trial_that_must_stop(store: LocalStore, tmp_path: Path) -> None:
    run = dispatcher(Fakes(tmp_path, {"a": ["s1"], "b": ["s2"]}), store)
    assert {run.next(), run.next()} == {"a", "b"}
    take_over(tmp_path, "key-s2")
    assert run.renew() == ("b",)


def test_dispatcher_stage_without_a_key_is_refused_naming_what_is_missing(store: LocalStore, tmp_path: Path) -> None:
    fakes = Fakes(tmp_path, {"a": ["s1"]})
    nodes = {**fakes.nodes, "s1": replace(fakes.nodes["s1"], key=None, missing=("source:vqa",))}
    cluster = [NodeResources("node", 1)]
    with pytest.raises(ValueError, match=r"s1.*source:vqa"):
        Dispatcher(fakes.work, nodes, (), cluster, store, STUDY, fakes.needed(store), lambda trial, leased: None)


@pytest.mark.parametrize(
    "options",
    [
        {"cpus": 40},
        {"cpus": 1_000},
        {"cpus": 40, "max_concurrent": 30},
        {"cpus": 4, "may_come": [NodeResources("node", 4), NodeResources("next", 36)]},
    ],
    ids=["room for some", "room for all", "fewer are wanted", "nodes come"],
)
def test_most_at_once_trials_that_begin_one_after_another_and_end_report_no_more_than_a_driver_can_take(
    store: LocalStore, tmp_path: Path, options: dict[str, Any]
) -> None:
    run = dispatcher(Fakes(tmp_path, {f"t{i}": [f"s{i}"] for i in range(50)}), store, **options)
    results_per_s: dict[str, float] = {}
    ended = 0
    while ended < 50:
        while isinstance(trial := run.next(), str):
            results_per_s[trial] = 1 / report_every_s(run.most_at_once)
            assert sum(results_per_s.values()) <= RESULTS_PER_S * (1 + 1e-9)
        run.resize(options.get("may_come", [NodeResources("node", options["cpus"])]))
        run.ended(next(iter(results_per_s)), group_kept=True)
        del results_per_s[next(iter(results_per_s))]
        ended += 1
    assert run.next() is FINISHED
    assert run.most_at_once == 0
