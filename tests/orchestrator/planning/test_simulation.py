"""Claims about orchestrator/planning/simulation.py."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.fit import NodeResources
from cluster.launcher import ResourceRequest
from orchestrator.planning.simulated_cluster import Disturbances
from orchestrator.planning.simulation import simulate
from orchestrator.running.work import Work

ONE, FOUR, NINE = (ResourceRequest(workers, 1, 1) for workers in (1, 4, 9))
NODES = [NodeResources(f"n{i}", 64, 8) for i in range(2)]


def trial(name: str, *path: str, request: ResourceRequest = ONE, hours: float = 1.0) -> Work:
    return Work(name, path or (name,), request, (hours * 3600,) * max(1, len(path)))


def test_simulate_work_that_fills_a_cluster_takes_as_long_as_its_bound() -> None:
    run = simulate([[trial(f"t{i}") for i in range(32)]], NODES)
    assert run.makespan_s == run.bound_s == 7200
    assert run.idle_share == pytest.approx(0.0)


def test_simulate_shared_work_is_done_once_also_by_runs_in_drivers_of_their_own() -> None:
    drivers = [[trial(f"{driver}{i}", "shared", f"own {driver}{i}") for i in range(2)] for driver in "ab"]
    run = simulate(drivers, NODES)
    assert run.useful_device_s == 5 * 3600
    assert 7200 <= run.makespan_s < 7210  # a poll later than one driver


def test_simulate_runs_in_drivers_of_their_own_wait_for_the_seats_of_one_cluster() -> None:
    drivers = [[trial(f"{driver}{i}", request=FOUR) for i in range(4)] for driver in "ab"]
    assert simulate(drivers, NODES).makespan_s == 7200


def test_simulate_what_fits_nowhere_is_named_instead_of_waited_for() -> None:
    with pytest.raises(RuntimeError, match="1 trials wait, and nothing runs"):
        simulate([[trial("huge", request=ResourceRequest(99, 1, 1))]], NODES)


def test_simulate_a_group_is_started_once_and_reused() -> None:
    run = simulate([[trial(f"t{i}", request=NINE) for i in range(3)]], NODES, Disturbances(group_start_s=100))
    assert (run.groups_started, run.makespan_s) == (1, 3 * 3600 + 100)
    assert run.lost_device_s == 900


def test_simulate_failures_cost_what_was_done_since_the_last_checkpoint() -> None:
    disturbances = Disturbances(failures_per_device_hour=0.5, checkpoint_every_s=600)
    run = simulate([[trial("t", hours=20.0)]], NODES, disturbances)
    assert run.failed_attempts > 0
    assert 0 < run.lost_device_s <= 600 * run.failed_attempts
    assert run.makespan_s > 20 * 3600 + run.lost_device_s


def test_simulate_preempted_machines_lose_no_work_as_there_is_a_notice() -> None:
    disturbances = Disturbances(preemptions_per_node_hour=0.3, preempted_for_s=600)
    run = simulate([[trial(f"t{i}", request=FOUR, hours=5.0) for i in range(8)]], NODES, disturbances)
    assert run.failed_attempts > 0
    assert run.lost_device_s == 0
    assert run.makespan_s > run.bound_s


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from("uvwx"), max_size=3, unique=True),
            st.sampled_from([ONE, FOUR, NINE, ResourceRequest(2, 30, 0), ResourceRequest(1, 1, 0.5)]),
            st.sampled_from([0.0, 0.01, 1.0, 7.0]),
        ),
        min_size=1,
        max_size=15,
    ),
    st.integers(1, 3),
    st.integers(0, 5),
    st.sampled_from(
        [
            Disturbances(sigma=0.5, straggler_share=0.2),
            Disturbances(failures_per_device_hour=0.2, group_start_s=30),
            Disturbances(preemptions_per_node_hour=0.2),
        ]
    ),
)
def test_simulate_any_studies_in_any_number_of_drivers_end_no_sooner_than_their_bound(
    plan: list[tuple[list[str], ResourceRequest, float]], drivers: int, seed: int, disturbances: Disturbances
) -> None:
    work = [
        trial(
            f"t{i}", *(f"{name}{request}{hours}" for name in sorted(shared)), f"own {i}", request=request, hours=hours
        )
        for i, (shared, request, hours) in enumerate(plan)
    ]
    run = simulate([work[i::drivers] for i in range(drivers)], NODES, disturbances, seed)
    assert run.makespan_s >= run.bound_s * (1 - 1e-9)
    assert run.dispatched >= len(work)
