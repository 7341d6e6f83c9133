"""Claims about orchestrator/running/run_clock.py."""

from __future__ import annotations

from orchestrator.running.run_clock import RunClock
from orchestrator.running.trial_events import Dispatched, TrialEvent
from search_spaces.outcomes import NodeDone, TrialDone


def test_a_run_lasts_from_the_first_hand_out_to_the_last_end() -> None:
    clock = RunClock()
    clock.show(TrialEvent("a", 10.0, Dispatched()))
    assert clock.wall_s == 0.0
    clock.show(TrialEvent("b", 11.0, Dispatched()))
    clock.show(TrialEvent("a", 15.0, TrialDone()))
    clock.show(TrialEvent("b", 18.0, TrialDone()))
    clock.show(TrialEvent("c", 19.0, NodeDone("x")))
    assert clock.wall_s == 8.0
