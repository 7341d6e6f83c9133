"""Claims about cluster/gang.py without a cluster; tests/cluster/test_launchers.py runs groups of actors."""

from __future__ import annotations

from cluster.gang import Gang
from cluster.launcher import ResourceRequest


def test_bundles_one_worker_is_the_trials_own_process() -> None:
    assert Gang().bundles(ResourceRequest(1, 2, 0.5)) == [{"CPU": 2.0, "GPU": 0.5}]


def test_bundles_several_workers_come_after_a_conductor_that_takes_no_cpu() -> None:
    assert Gang().bundles(ResourceRequest(2, 1)) == [{"CPU": 0.0}, {"CPU": 1.0}, {"CPU": 1.0}]
