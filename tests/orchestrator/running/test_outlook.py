"""Claims about orchestrator/running/outlook.py."""

from __future__ import annotations

import pytest

from cluster.launcher import ResourceRequest
from orchestrator.running.outlook import Outlook

ONE, HALF, MOST = (ResourceRequest(workers, 1, 1) for workers in (1, 4, 6))


def outlook(now_s: list[float], *shapes: tuple[ResourceRequest, int, float]) -> Outlook:
    """Outlook on so many trials of each request, of so many seconds, on 8 devices."""
    state = Outlook(lambda request: request.workers / 8, lambda: now_s[0])
    for request, trials, seconds in shapes:
        for i in range(trials):
            state.add(f"{request.workers}-{i}", request, seconds)
    return state


def test_due_a_gang_is_due_when_its_lane_takes_as_long_as_all_that_is_left() -> None:
    longest = {ONE: 10.0, HALF: 10.0}
    assert outlook([0.0], (ONE, 32, 10.0), (HALF, 2, 10.0)).due(longest) == {ONE}
    assert HALF in outlook([0.0], (ONE, 6, 10.0), (HALF, 2, 10.0)).due(longest)


def test_due_a_gang_wider_than_half_of_the_devices_is_due_at_once() -> None:
    assert MOST in outlook([0.0], (ONE, 99, 10.0), (MOST, 1, 10.0)).due({ONE: 10.0, MOST: 10.0})


def test_due_trials_that_no_lane_can_take_one_after_the_other_are_all_due() -> None:
    state = outlook([0.0], (ONE, 4, 100.0), (HALF, 1, 10.0))
    for trial in range(3):
        state.started(f"t{trial}", ONE, 100.0)
    assert ONE in state.due({ONE: 100.0})


def test_pace_is_learnt_from_what_is_done_and_what_runs() -> None:
    now_s = [0.0]
    state = outlook(now_s, (ONE, 3, 10.0))
    for trial in ("a", "b"):
        state.started(trial, ONE, 10.0)
    now_s[0] = 30.0
    state.went_on("a", "1-0", 0.0)
    state.done("1-0")
    state.due({})
    assert state.pace == pytest.approx(3.0)
    assert state.ends_in_s("b", 20.0) == pytest.approx(30.0)


def test_request_with_nodes_to_avoid_counts_with_the_others_of_its_kind() -> None:
    state = outlook([0.0], (ONE, 8, 10.0))
    state.started("t", ResourceRequest(1, 1, 1, avoided=("bad",)), 10.0)
    state.ended("t")
    assert state.due({ONE: 10.0}) == {ONE}
