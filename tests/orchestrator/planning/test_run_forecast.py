"""Claims about orchestrator/planning/run_forecast.py."""

from __future__ import annotations

import pytest

from cluster.fit import NodeResources
from cluster.launcher import ResourceRequest
from orchestrator.planning.durations import Duration
from orchestrator.planning.forecast import GROUP_START_S
from orchestrator.planning.run_forecast import forecast_run
from orchestrator.running.work import Work

TWO_CORES = [NodeResources("this machine", 2)]
ONE, PAIR = ResourceRequest(1), ResourceRequest(2)
PIECES = {
    "shared": Duration(100.0, 80.0, 125.0, "measured"),
    "a": Duration(300.0, 60.0, 1500.0, "assumed"),
    "b": Duration(300.0, 60.0, 1500.0, "assumed"),
}


def work(trial: str, request: ResourceRequest = ONE) -> Work:
    return Work(trial, ("shared", trial), request, (PIECES["shared"].seconds, PIECES[trial].seconds))


def test_work_that_trials_share_counts_once_and_what_is_done_not_at_all() -> None:
    both = forecast_run([work("a"), work("b")], PIECES, frozenset(), TWO_CORES)
    assert (both.device_s.expected, both.device_s.low, both.device_s.high) == (700.0, 200.0, 3125.0)
    assert both.sources == pytest.approx({"measured": 100 / 700, "assumed": 600 / 700})
    left = forecast_run([work("a"), work("b")], PIECES, frozenset({"shared", "b"}), TWO_CORES)
    assert left.device_s.expected == 300.0


def test_each_worker_counts() -> None:
    assert forecast_run([work("a", PAIR)], PIECES, frozenset(), TWO_CORES).device_s.expected == 2 * 400.0


def test_wall_time_is_simulated_on_the_nodes_and_their_kinds_are_named() -> None:
    measured = {name: Duration(piece.seconds, piece.low, piece.high, "measured") for name, piece in PIECES.items()}
    trials = [work("a"), work("b")]
    at_once = forecast_run(trials, measured, frozenset({"shared"}), TWO_CORES)
    one_by_one = forecast_run(trials, measured, frozenset({"shared"}), TWO_CORES, max_concurrent=1)
    assert at_once.wall_s.expected == pytest.approx(300 + GROUP_START_S, rel=0.3)
    assert one_by_one.wall_s.expected == pytest.approx(600 + GROUP_START_S, rel=0.3)
    assert at_once.wall_s.low < at_once.wall_s.expected < at_once.wall_s.high
    assert (at_once.trials, at_once.cluster) == (2, "2 CPU")
    nodes = [NodeResources("a", 2), NodeResources("b", 64, 8), NodeResources("c", 64, 8)]
    assert forecast_run(trials, measured, frozenset(), nodes).cluster == "1 node of 2 CPU, 2 nodes of 64 CPU and 8 GPU"


def test_a_run_is_forecast_on_the_nodes_that_may_come_and_on_those_that_are_there_where_a_trial_needs_them() -> None:
    wide = [NodeResources("x", 8), NodeResources("y", 8)]
    pair = [work("a", PAIR)]
    assert forecast_run(pair, PIECES, frozenset(), TWO_CORES, may_come=wide).cluster == "2 nodes of 8 CPU"
    narrow = [NodeResources("x", 1)]
    both = forecast_run([*pair, work("b")], PIECES, frozenset(), TWO_CORES, may_come=narrow)
    assert both.cluster == "1 node of 2 CPU, 1 node of 1 CPU"
    assert both.wall_s.expected > 0
