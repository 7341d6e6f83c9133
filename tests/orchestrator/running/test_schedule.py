"""Claims about orchestrator/running/schedule.py (the other schedule, of learning rates, is in trainables)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.fit import NodeResources, place
from cluster.launcher import ResourceRequest
from orchestrator.running.schedule import FINISHED, Schedule
from orchestrator.running.work import Work

SMALL, LARGE = ResourceRequest(workers=1), ResourceRequest(workers=4)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def work(trial: str, *path: str, request: ResourceRequest = SMALL, costs: tuple[float, ...] | None = None) -> Work:
    return Work(trial, path, request, costs or tuple(1.0 for _ in path))


def schedule(*items: Work, cpus: float = 8, done: tuple[str, ...] = (), limit: int | None = None) -> Schedule:
    return Schedule(items, done, [NodeResources("node", cpus)], limit, clock=Clock())


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


def test_next_request_just_freed_goes_on_before_a_longer_path_of_another_request() -> None:
    other = ResourceRequest(workers=2, cpus_per_worker=0.5)
    items = [work("s1", "1", costs=(9,)), work("l1", "2", request=other, costs=(5,)), work("s2", "3", costs=(1,))]
    state = schedule(*items, cpus=4, limit=1)
    assert handed_out(state) == ["s1"]
    finish(state, "s1")
    assert handed_out(state) == ["s2"]


def test_next_gang_wider_than_half_of_the_cluster_starts_before_narrow_ones_take_its_room() -> None:
    small = [work(f"s{i}", f"n{i}", costs=(9,)) for i in range(40)]
    state = schedule(*small, work("large", "x", request=LARGE, costs=(1,)), cpus=4)
    assert handed_out(state) == ["large"]


def test_next_gangs_of_half_the_cluster_are_left_for_the_end_and_end_with_the_rest() -> None:
    """Eight seats; 32 hours of narrow work and 2 gangs of 4 seats: 5 hours, of which the gangs need 2."""
    clock, started_h = Clock(), dict[str, float]()
    items = [work(f"s{i}", f"n{i}", costs=(3600.0,)) for i in range(32)]
    items += [work(f"g{i}", f"x{i}", request=LARGE, costs=(3600.0,)) for i in range(2)]
    state = Schedule(items, (), [NodeResources("node", 8)], clock=clock)
    while state.waiting or state.running:
        started_h |= dict.fromkeys(handed_out(state), clock.now_s / 3600)
        clock.now_s += 3600
        for trial in state.running:
            finish(state, trial)
    assert clock.now_s == 5 * 3600
    assert started_h["g0"] >= 2
    assert state.next() is FINISHED


def test_next_gang_that_is_due_gets_a_reservation_and_only_what_does_not_delay_it_is_started() -> None:
    """A gang waits for the whole cluster: of two seats that are free, one is given to what ends before the others."""
    clock = Clock()
    items = [work(f"r{i}", f"n{i}", costs=(100.0,)) for i in range(3)]
    state = Schedule(
        [*items, work("gang", "x", request=LARGE, costs=(50.0,)), work("short", "a", costs=(60.0,))],
        (),
        [NodeResources("node", 3)],
        clock=clock,
    )
    assert handed_out(state) == ["r0", "r1", "r2"]
    state.resize([NodeResources("node", 4)])
    assert handed_out(state) == ["short"]  # ends after 60 s; the gang cannot start before 100
    clock.now_s = 60
    finish(state, "short")
    clock.now_s = 100
    finish(state, "r0")
    assert handed_out(state) == []
    finish(state, "r1")
    finish(state, "r2")
    assert handed_out(state) == ["gang"]


def test_next_what_would_delay_a_reservation_waits() -> None:
    clock = Clock()
    items = [work(f"r{i}", f"n{i}", costs=(100.0,)) for i in range(3)]
    late = [work("long", "a", costs=(99.0,)), work("gang", "x", request=LARGE, costs=(50.0,))]
    state = Schedule([*items, *late], (), [NodeResources("node", 3)], clock=clock)
    assert handed_out(state) == ["r0", "r1", "r2"]
    clock.now_s = 10
    state.resize([NodeResources("node", 4)])
    assert handed_out(state) == []


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


def test_next_trial_that_is_held_waits_until_it_is_released_and_keeps_nobody() -> None:
    state = schedule(work("long", "l", costs=(9,)), work("short", "s"))
    state.hold("long")
    assert handed_out(state) == ["short"]
    finish(state, "short")
    assert state.next() is None
    state.release("long")
    assert handed_out(state) == ["long"]


def test_next_room_that_other_work_occupies_is_not_given_away_and_counts_for_the_limit() -> None:
    items = work("a", "a1"), work("b", "b1"), work("c", "c1")
    for cpus, limit in ((2, None), (8, 2)):
        state = schedule(*items, cpus=cpus, limit=limit)
        state.occupy("a rehearsal", SMALL)
        assert handed_out(state) == ["a"]
        state.resize([NodeResources("more", 1), NodeResources("node", cpus)])
        assert handed_out(state) == (["b"] if limit is None else [])
        state.vacate("a rehearsal")
        assert handed_out(state) == (["c"] if limit is None else ["b"])


def test_next_other_work_without_room_takes_none() -> None:
    state = schedule(work("a", "a1"), cpus=2)
    state.occupy("a rehearsal", LARGE)
    assert handed_out(state) == ["a"]
    state.vacate("a rehearsal")
    assert state.free == (NodeResources("node", 1),)


def test_resize_lost_node_frees_nothing_and_new_node_gives_room() -> None:
    state = Schedule([work("a", "1"), work("b", "2")], (), [NodeResources("old", 1)])
    assert handed_out(state) == ["a"]
    state.resize([NodeResources("new", 1)])
    assert handed_out(state) == ["b"]


def test_wanted_names_what_runs_and_what_could_start_and_nodes_that_come_are_used() -> None:
    """A cluster that begins without a node: its list of nodes grows by what is wanted."""
    nodes = [NodeResources("head", 0)]
    leader, follower = work("leader", "shared", "x", request=LARGE), work("follower", "shared", "y", request=LARGE)
    state = Schedule([leader, follower, work("small", "z")], (), nodes, clock=Clock())
    assert handed_out(state) == []
    assert state.wanted == (LARGE, LARGE, SMALL)
    state.resize([*nodes, NodeResources("new", 4)])
    assert handed_out(state) == ["leader"]
    assert state.wanted == (LARGE, SMALL)  # the follower could not start anyway
    finish(state, "leader")
    assert handed_out(state) == ["follower"]
    finish(state, "follower")
    assert handed_out(state) == ["small"]
    finish(state, "small")
    assert state.wanted == ()


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


REQUESTS = [
    ResourceRequest(1, 1, 1),
    ResourceRequest(1, 4, 0.5),
    ResourceRequest(4, 1, 1),
    ResourceRequest(6, 2, 1),
    ResourceRequest(16, 1, 1),
    ResourceRequest(2, 1),
]


@given(
    st.lists(st.tuples(st.sampled_from([4.0, 16.0]), st.sampled_from([0.0, 1.0, 4.0, 8.0])), min_size=1, max_size=5),
    st.lists(
        st.tuples(
            st.lists(st.sampled_from("uvwx"), max_size=3, unique=True),
            st.sampled_from(REQUESTS),
            st.sampled_from([0.0, 0.1, 1.0, 30.0]),
        ),
        min_size=1,
        max_size=20,
    ),
    st.integers(0, 1000),
)
def test_schedule_any_cluster_nothing_is_given_twice_and_all_that_fits_runs(
    rooms: list[tuple[float, float]], plan: list[tuple[list[str], ResourceRequest, float]], seed: int
) -> None:
    random = Random(seed)
    nodes = [NodeResources(f"n{i}", cpus, gpus) for i, (cpus, gpus) in enumerate(rooms)]
    items = [
        work(f"t{i}", *sorted(shared), f"own{i}", request=request, costs=(cost,) * (len(shared) + 1))
        for i, (shared, request, cost) in enumerate(plan)
    ]
    clock = Clock()
    state = Schedule(items, (), nodes, clock=clock)
    ran = set()
    while True:
        ran |= set(handed_out(state))
        assert all(node.cpus >= -1e-6 and node.gpus >= -1e-6 for node in state.free)
        if not state.running:
            break
        trial = random.choice(state.running)
        clock.now_s += random.choice([0.0, 0.5, 50.0])
        state.resize(nodes)  # as often as a run lists its nodes
        if state.undone(trial) and random.random() < 0.7:
            state.node_done(state.undone(trial)[0])
        elif random.random() < 0.2:
            state.suspend(trial, group_kept=False)
            state.resume(trial, state.request_of(trial))
        else:
            finish(state, trial)
    assert ran == {item.trial_id for item in items if place(item.request, nodes) is not None}
    assert [node.cpus for node in state.free] == pytest.approx([node.cpus for node in nodes])
    assert [node.gpus for node in state.free] == pytest.approx([node.gpus for node in nodes])


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
