"""Claims about cluster/ray_train.py without a cluster; tests/cluster/test_launchers.py runs its groups."""

from __future__ import annotations

import pytest
from ray.exceptions import RayActorError

from cluster.launcher import ResourceRequest
from cluster.ray_train import RayTrain, failures_of
from search_spaces.outcomes import FailureKind


class HealthCheckError(Exception):
    """Stands for the error with which Train wraps what Ray says of a worker."""

    def __init__(self, health_check_failure: Exception):
        self.health_check_failure = health_check_failure


def test_bundles_hold_no_cpu_and_no_gpu_as_train_reserves_those_of_the_workers_itself() -> None:
    assert RayTrain().bundles(ResourceRequest(2, 3, 1)) == [{"memory": 1.0}]


@pytest.mark.parametrize(
    ("error", "kind"), [(HealthCheckError(RayActorError()), "lost"), (ValueError("the code of Train"), "error")]
)
def test_what_train_says_of_a_rank_is_the_failure_that_every_launcher_has_of_it(
    error: Exception, kind: FailureKind
) -> None:
    (failed,) = failures_of({1: error}).values()
    assert failed.kind == kind
