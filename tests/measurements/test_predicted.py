"""Claims about measurements/predicted.py: a run's pieces of work are timed by its events and simulated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cluster.fit import NodeResources
from measurements import predicted
from measurements.predicted import predict, read_events
from search_spaces.expansion.expand import plan_study
from search_spaces.plan import Plan
from search_spaces.study_files import load_study

START_S, PIECE_S, SCORES_S = 5.0, 10.0, 2.0


def _plan() -> Plan:
    return plan_study(load_study("quickstart"), toy=True)


def _one_after_the_other(plan: Plan) -> Iterator[dict[str, Any]]:
    """Yield the events of a run in one group, in which every piece of work takes equally long."""
    now, done = 0.0, set[str]()
    for number, trial in enumerate(plan.trials):
        yield {"at": now, "event": "trial started", "trial": trial.id}
        if number == 0:
            now += START_S
        yield {"at": now, "event": "workers started", "trial": trial.id, "fresh_group": number == 0}
        for node in trial.path:
            if plan.nodes[node].kind != "evaluation":
                now += 0.0 if node in done else PIECE_S  # a trial says of shared work, too, that it is done
                done.add(node)
                yield {"at": now, "event": "work done", "trial": trial.id, "node": node}
        now += SCORES_S
        yield {"at": now, "event": "trial done", "trial": trial.id}


def test_pieces_of_work_are_timed_from_the_start_of_their_group_or_what_was_before_them() -> None:
    plan = _plan()
    measured = read_events(_one_after_the_other(plan), plan)
    kinds = {plan.nodes[node].kind: set[float]() for node in measured.seconds}
    for node, seconds in measured.seconds.items():
        kinds[plan.nodes[node].kind].add(round(seconds, 6))
    assert kinds["stage"] == {PIECE_S}
    assert kinds["evaluation"] == {SCORES_S}
    assert (measured.group_start_s, measured.groups) == (START_S, 1)


def test_a_run_on_one_core_is_predicted_to_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predicted, "this_machine", lambda: (NodeResources("this machine", 1),))
    plan = _plan()
    measured = read_events(_one_after_the_other(plan), plan)
    assert predict(plan, measured).makespan_s == pytest.approx(measured.wall_s)


def test_a_run_in_which_a_trial_did_not_end_is_refused() -> None:
    plan = _plan()
    events = [event for event in _one_after_the_other(plan) if event["event"] != "trial done"]
    with pytest.raises(ValueError, match="must be done, but is not"):
        read_events(events, plan)
