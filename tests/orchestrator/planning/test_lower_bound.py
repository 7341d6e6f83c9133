"""Claims about orchestrator/planning/lower_bound.py."""

from __future__ import annotations

import pytest

from cluster.fit import NodeResources
from cluster.launcher import ResourceRequest
from orchestrator.planning.lower_bound import Piece, lower_bound_s

ONE, THREE = ResourceRequest(1, 1, 1), ResourceRequest(3, 1, 1)
NODES = [NodeResources("node", 64, 4)]


def test_lower_bound_without_shared_work_is_the_work_divided_by_the_devices() -> None:
    assert lower_bound_s([[Piece(f"{i}", 10.0, ONE)] for i in range(8)], NODES) == pytest.approx(20.0)


def test_lower_bound_of_one_path_is_its_length() -> None:
    assert lower_bound_s([[Piece("a", 10.0, ONE), Piece("b", 5.0, ONE)]], NODES) == pytest.approx(15.0)


def test_lower_bound_counts_that_a_shared_beginning_leaves_the_cluster_empty() -> None:
    chains = [[Piece("shared", 10.0, ONE), Piece(f"own {i}", 10.0, ONE)] for i in range(8)]
    assert lower_bound_s(chains, NODES) == pytest.approx(30.0)  # work / devices: 22.5; longest path: 20


def test_lower_bound_counts_that_gangs_leave_a_rest_of_the_cluster() -> None:
    assert lower_bound_s([[Piece(f"{i}", 10.0, THREE)] for i in range(4)], NODES) == pytest.approx(40.0)


def test_lower_bound_of_nothing_is_zero() -> None:
    assert lower_bound_s([], NODES) == 0.0
