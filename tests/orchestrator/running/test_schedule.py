"""Claims about orchestrator/running/schedule.py (the other schedule, of learning rates, is in trainables)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.fit import NodeResources
from cluster.launcher import ResourceRequest
from orchestrator.running.schedule import FINISHED, STARVATION_LIMIT, Schedule, Work

SMALL, LARGE = ResourceRequest(workers=1), ResourceRequest(workers=4)


def work(trial: str, *path: str, request: ResourceRequest = SMALL, costs: tuple[float, ...] | None = None) -> Work:
    return Work(trial, path, request, costs or tuple(1.0 for _ in path))


def schedule(*items: Work, cpus: float = 8, done: tuple[str, ...] = (), limit: int | None = None) -> Schedule:
    return Schedule(items, done, [NodeResources("node", cpus)], limit)


def handed_out(state: Schedule) -> list[str]:
    """All that goes out now, until the schedule holds or has finished."""
    trials = []
    while isinstance(trial := state.next(), str):
        trials.append(trial)
    return trials


def finish(state: Schedule, trial: str) -> None:
    for node in state.undone(trial):
        state.node_done(node)
    state.ended(trial, group_kept=True)


def test_next_trial_sharing_a_node_waits_until_it_is_done_not_until_its_leader_ends() -> None:
    state = schedule(work("a", "align", "a1"), work("b", "align", "b1"))
    assert handed_out(state) == ["a"]
    state.node_done("align")
    assert handed_out(state) == ["b"]
    assert set(state.running) == {"a", "b"}


def test_next_leader_failed_one_of_those_held_back_takes_its_place() -> None:
    state = schedule(work("a", "align", "a1"), work("b", "align", "b1"), work("c", "align", "c1"))
    assert handed_out(state) == ["a"]
    state.ended("a", group_kept=False)
    assert handed_out(state) == ["b"]
    state.node_done("align")
    assert handed_out(state) == ["c"]


def test_next_longest_remaining_path_goes_first() -> None:
    state = schedule(work("short", "s", costs=(1,)), work("long", "l", costs=(9,)), work("middle", "m", costs=(5,)))
    assert handed_out(state) == ["long", "middle", "short"]


def test_next_done_nodes_do_not_count_towards_the_path() -> None:
    state = schedule(work("seems-long", "l", "x", costs=(9, 1)), work("is-longer", "m", "y", costs=(3, 1)), done=("l",))
    assert handed_out(state) == ["is-longer", "seems-long"]


def test_next_equal_paths_the_producer_of_what_others_wait_for_goes_first() -> None:
    state = schedule(work("alone", "x", "y"), work("leader", "align", "z"), work("follower", "align", costs=(1,)))
    assert handed_out(state) == ["leader", "alone"]


def test_next_no_room_holds_until_a_trial_ends() -> None:
    state = schedule(work("a", "a1"), work("b", "b1"), work("c", "c1"), cpus=2)
    assert handed_out(state) == ["a", "b"]
    assert state.next() is None
    finish(state, "a")
    assert handed_out(state) == ["c"]


def test_next_limit_of_concurrent_trials_is_kept_where_there_is_room() -> None:
    state = schedule(work("a", "a1"), work("b", "b1"), cpus=8, limit=1)
    assert handed_out(state) == ["a"]


def test_next_shape_just_freed_goes_before_a_longer_path_of_another_shape() -> None:
    items = [work("s1", "1", costs=(9,)), work("l1", "2", request=LARGE, costs=(5,)), work("s2", "3", costs=(1,))]
    state = schedule(*items, cpus=4, limit=1)
    assert handed_out(state) == ["s1"]
    finish(state, "s1")
    assert handed_out(state) == ["s2"]


def test_next_failed_trial_leaves_no_group_so_that_the_longest_path_goes_next() -> None:
    items = [work("s1", "1", costs=(9,)), work("l1", "2", request=LARGE, costs=(5,)), work("s2", "3", costs=(1,))]
    state = schedule(*items, cpus=4, limit=1)
    assert handed_out(state) == ["s1"]
    state.ended("s1", group_kept=False)
    assert handed_out(state) == ["l1"]


def test_next_large_gang_passed_over_often_enough_gets_the_cluster_to_itself() -> None:
    small = [work(f"s{i}", f"n{i}", costs=(9,)) for i in range(40)]
    state = schedule(*small, work("large", "x", request=LARGE, costs=(1,)), cpus=4)
    before: list[str] = []
    running = handed_out(state)
    while "large" not in running:
        before += running
        finish(state, state.running[0])
        running = handed_out(state)
    assert len(before) == STARVATION_LIMIT
    assert state.running == ("large",)


def test_next_gang_larger_than_one_node_is_seated_over_several() -> None:
    state = Schedule([work("gang", "x", request=LARGE)], (), [NodeResources("a", 2), NodeResources("b", 3)])
    assert handed_out(state) == ["gang"]


def test_next_ask_that_fits_nowhere_does_not_keep_others_from_starting() -> None:
    state = schedule(work("huge", "x", request=LARGE, costs=(9,)), *(work(f"s{i}", f"n{i}") for i in range(20)), cpus=2)
    started = []
    while trials := handed_out(state):
        started += trials
        for trial in trials:
            finish(state, trial)
    assert len(started) == 20
    assert state.next() is None


def test_held_elsewhere_trials_wait_until_the_node_is_done_or_given_up() -> None:
    state = schedule(work("a", "align", "a1"), work("b", "other"))
    state.held_elsewhere("align")
    assert handed_out(state) == ["b"]
    assert state.elsewhere == ("align",)
    state.freed_elsewhere("align")
    assert handed_out(state) == ["a"]
    assert state.undone("a") == ("align", "a1")


def test_held_elsewhere_then_done_the_trial_starts_without_that_node() -> None:
    state = schedule(work("a", "align", "a1"))
    state.held_elsewhere("align")
    assert state.next() is None
    state.node_done("align")
    assert handed_out(state) == ["a"]
    assert state.undone("a") == ("a1",)


def test_withdraw_trial_gives_its_room_and_nodes_back_and_is_handed_out_again() -> None:
    state = schedule(work("a", "align"), work("b", "align"), cpus=1)
    assert handed_out(state) == ["a"]
    state.withdraw("a")
    assert state.running == ()
    assert handed_out(state) == ["a"]


def test_resize_lost_node_frees_nothing_and_new_node_gives_room() -> None:
    state = Schedule([work("a", "1"), work("b", "2")], (), [NodeResources("old", 1)])
    assert handed_out(state) == ["a"]
    state.resize([NodeResources("new", 1)])
    assert handed_out(state) == ["b"]


def test_next_trial_that_runs_may_come_back_so_that_finished_comes_when_all_have_ended() -> None:
    state = schedule(work("a", "a1"))
    assert handed_out(state) == ["a"]
    assert state.next() is None
    state.suspend("a", group_kept=False)
    assert state.next() is None
    state.resume("a", SMALL)
    assert handed_out(state) == ["a"]
    finish(state, "a")
    assert state.next() is FINISHED


def test_next_what_was_begun_goes_before_longer_paths_and_so_does_what_is_tried_again() -> None:
    begun = replace(work("begun", "b", costs=(1,)), is_begun=True)
    state = schedule(work("long", "l", costs=(9,)), begun, work("lost", "x", costs=(2,)), cpus=1)
    assert handed_out(state) == ["begun"]
    finish(state, "begun")
    assert handed_out(state) == ["long"]
    state.suspend("long", group_kept=False)
    assert handed_out(state) == ["lost"]
    state.resume("long", SMALL)
    state.suspend("lost", group_kept=False)
    state.resume("lost", SMALL)
    assert handed_out(state) == ["long"]


def test_resume_with_another_request_the_trial_goes_where_that_fits() -> None:
    state = Schedule([work("a", "x"), work("b", "y")], (), [NodeResources("bad", 1)])
    assert handed_out(state) == ["a"]
    state.suspend("a", group_kept=False)
    state.resume("a", replace(SMALL, avoided=("bad",)))
    assert handed_out(state) == ["b"]
    finish(state, "b")
    assert state.next() is None
    state.resize([NodeResources("bad", 1), NodeResources("good", 1)])
    assert handed_out(state) == ["a"]
    finish(state, "a")
    assert state.next() is FINISHED


def test_change_request_of_a_waiting_trial_the_old_one_is_forgotten() -> None:
    state = schedule(work("a", "x", request=LARGE), cpus=1)
    assert state.next() is None
    state.change_request("a", SMALL)
    assert handed_out(state) == ["a"]
    assert state.next() is None


def test_schedule_costs_that_do_not_match_the_path_are_refused() -> None:
    with pytest.raises(ValueError, match="2 nodes need as many costs"):
        schedule(work("a", "x", "y", costs=(1.0,)))


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from("uvwxyz"), max_size=3, unique=True), st.sampled_from([SMALL, LARGE])),
        min_size=1,
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_schedule_any_study_and_any_order_of_events_produces_each_node_once_and_ends(plan, random) -> None:  # type: ignore[no-untyped-def]
    items = [
        replace(work(f"t{i}", *sorted(shared), f"own{i}", request=request), is_begun=random.random() < 0.3)
        for i, (shared, request) in enumerate(plan)
    ]
    state = schedule(*items, cpus=4)
    begun = {item.trial_id for item in items if item.is_begun}
    suspended: list[str] = []
    tries: Counter[str] = Counter()
    producing: dict[str, str] = {}
    produced: list[str] = []
    failed_once: set[str] = set()
    ended: list[str] = []
    while True:
        if suspended and random.random() < 0.3:
            state.resume(suspended.pop(), random.choice([SMALL, LARGE]))
        trial = state.next()
        if isinstance(trial, str):
            rivals = (other for other in state.waiting if state.request_of(other) == state.request_of(trial))
            startable = [other for other in rivals if producing.keys().isdisjoint(state.undone(other))]
            assert trial in begun or begun.isdisjoint(startable)
            for node in state.undone(trial):
                assert node not in producing
                producing[node] = trial
            continue
        if trial is FINISHED:
            assert not state.running
            assert not suspended
            break
        if not state.running:
            state.resume(suspended.pop(), SMALL)  # nothing else can go on
            continue
        trial = random.choice(state.running)
        mine = [node for node, holder in producing.items() if holder == trial]
        if random.random() < 0.2 and trial not in failed_once:
            failed_once.add(trial)
            state.ended(trial, group_kept=False)
            ended.append(trial)
        elif random.random() < 0.2 and tries[trial] < 3:
            tries[trial] += 1
            state.suspend(trial, group_kept=random.random() < 0.5)
            suspended.append(trial)
            begun.add(trial)
        elif undone := state.undone(trial):
            state.node_done(undone[0])
            produced.append(undone[0])
            del producing[undone[0]]
            continue
        else:
            state.ended(trial, group_kept=True)
            ended.append(trial)
        for node in mine:
            producing.pop(node, None)
    assert sorted(ended) == sorted(item.trial_id for item in items)
    assert len(produced) == len(set(produced))
