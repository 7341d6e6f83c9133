"""Claims about orchestrator/running/schedule.py where some trials ask for labels that not all nodes have."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from cluster.fit import NodeResources, place
from cluster.launcher import ResourceRequest
from orchestrator.running.schedule import Schedule
from tests.orchestrator.running.test_schedule import SMALL, Clock, finish, handed_out, work

KINDS: list[dict[str, str]] = [{}, {"kind": "rare"}, {"kind": "rare", "market": "spot"}, {"kind": "common"}]
LABELS: list[tuple[tuple[str, str], ...]] = [
    (),
    (),
    (("kind", "rare"),),
    (("kind", "rare"), ("market", "spot")),
    (("market", "!spot"),),
]

RARE = replace(SMALL, labels=(("kind", "rare"),))
TWO_KINDS = [NodeResources("a", 1, labels={"kind": "rare"}), NodeResources("b", 2)]


def test_next_trial_that_can_go_anywhere_leaves_the_rare_node_to_one_that_waits_for_another_run() -> None:
    state = Schedule([work("any", "x"), work("rare", "y", request=RARE)], (), TWO_KINDS, clock=Clock())
    state.held_elsewhere("y")
    assert handed_out(state) == ["any"]
    assert state.avoided("any") == ("a",)
    state.freed_elsewhere("y")
    assert handed_out(state) == ["rare"]
    assert state.avoided("rare") == ()


def test_next_trial_that_can_go_anywhere_takes_the_rare_node_if_only_that_is_free_and_its_own_trials_cannot_start() -> (
    None
):
    items = [work(f"any{i}", f"n{i}", costs=(9.0,)) for i in range(3)]
    state = Schedule([*items, work("rare", "y", request=RARE)], (), TWO_KINDS, clock=Clock())
    state.held_elsewhere("y")
    assert handed_out(state) == ["any0", "any1", "any2"]
    assert [state.avoided(trial) for trial in ("any0", "any1", "any2")] == [("a",), ("a",), ()]


def test_next_of_a_short_trial_with_labels_and_a_long_one_without_the_first_gets_the_node_that_has_them() -> None:
    items = [work(f"any{i}", f"n{i}", costs=(9.0,)) for i in range(3)]
    state = Schedule([*items, work("rare", "x", request=RARE)], (), TWO_KINDS, clock=Clock())
    assert set(handed_out(state)) == {"any0", "any1", "rare"}
    finish(state, "rare")
    assert handed_out(state) == ["any2"]
    assert state.avoided("any2") == ()


@given(
    st.lists(st.tuples(st.sampled_from([1.0, 2.0, 4.0]), st.sampled_from(KINDS)), min_size=1, max_size=6),
    st.lists(
        st.tuples(
            st.lists(st.sampled_from("uvwx"), max_size=2, unique=True),
            st.sampled_from(LABELS),
            st.sampled_from([1, 2, 5]),
            st.sampled_from([0.1, 1.0, 30.0]),
        ),
        min_size=1,
        max_size=20,
    ),
    st.booleans(),
    st.integers(0, 1000),
)
def test_schedule_any_kinds_of_nodes_what_has_least_choice_goes_first_and_the_rest_out_of_its_way(
    rooms: list[tuple[float, dict[str, str]]],
    plan: list[tuple[list[str], tuple[tuple[str, str], ...], int, float]],
    is_narrow: bool,
    seed: int,
) -> None:
    random = Random(seed)
    nodes = [NodeResources(f"n{i}", cpus, labels=labels) for i, (cpus, labels) in enumerate(rooms)]
    items = [
        work(f"t{i}", *sorted(shared), f"own{i}", request=ResourceRequest(1 if is_narrow else workers, labels=labels))
        for i, (shared, labels, workers, _) in enumerate(plan)
    ]
    items = [replace(item, costs=(cost,) * len(item.path)) for item, (*_, cost) in zip(items, plan, strict=True)]
    clock = Clock()
    state = Schedule(items, (), nodes, clock=clock)
    waits = {item.trial_id: item.request for item in items}
    ran = set()
    while True:
        free, held = state.free, {node for trial in state.running for node in state.undone(trial)}
        ready = [trial for trial in waits if held.isdisjoint(state.undone(trial))]
        trial = state.next()
        if isinstance(trial, str):
            request, used = waits[trial], [i for i, node in enumerate(state.free) if node.cpus < free[i].cpus]
            allowed = _usable(request, nodes) - {int(name.removeprefix("n")) for name in state.avoided(trial)}
            assert allowed.issuperset(used)
            if is_narrow:  # else a reservation may keep a gang from less needed nodes
                needs = [sum(i in _usable(r, nodes) for r in waits.values() if r.labels) for i in range(len(nodes))]
                most = max(needs[i] for i in used)
                less_needed = [node for node, need in zip(free, needs, strict=True) if need < most]
                assert place(request, less_needed) is None
                labelled = [waits[other] for other in ready if waits[other].labels]
                startable = [_usable(other, nodes) for other in labelled if place(other, free) is not None]
                assert not any(other < _usable(request, nodes) and other.intersection(used) for other in startable)
            del waits[trial]
            ran.add(trial)
            continue
        if not state.running:
            break
        trial = random.choice(state.running)
        clock.now_s += random.choice([0.0, 0.5, 50.0])
        if random.random() < 0.2:
            state.suspend(trial, group_kept=False)
            state.resume(trial, state.request_of(trial))
            waits[trial] = state.request_of(trial)
        elif random.random() < 0.5:
            state.node_done(state.undone(trial)[0])
        else:
            for node in state.undone(trial):
                state.node_done(node)
        if trial in state.running and not state.undone(trial):
            state.ended(trial, group_kept=True)
    assert ran == {item.trial_id for item in items if place(item.request, nodes) is not None}
    assert [node.cpus for node in state.free] == [node.cpus for node in nodes]


def _usable(request: ResourceRequest, nodes: list[NodeResources]) -> set[int]:
    return {i for i, node in enumerate(nodes) if node.capacity_for(request)}
