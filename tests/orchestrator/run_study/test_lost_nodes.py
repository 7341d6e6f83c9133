"""A node that dies, or is drained and taken away, costs its trials an attempt and nothing of their results."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import get_args

import pytest

from measurements.drill.compare import findings
from measurements.drill.toy_study import SHAPES, STUDY_FILE, planned_shape
from orchestrator.state.failures import read_failures
from search_spaces.worker_contract import LauncherName
from tests.support.followed_run import followed_run
from tests.support.tiny_trials import run
from tests.support.two_nodes import TwoNodes, two_nodes, wait_for
from trainables.storage.records import Failure
from trainables.storage.store import LocalStore

pytestmark = [pytest.mark.ray, pytest.mark.slow]

TIMEOUT_S = 300.0


def weights_of(storage: Path) -> dict[str, bytes]:
    """Read the trained weights of the study's first trial, by stage and module."""
    plan = planned_shape(SHAPES["1w-zero0"], storage).plan
    first = plan.narrowed({plan.trials[0].id})
    weights = {name: file.read_bytes() for name, file in findings(storage, first).weights.items()}
    assert {name.split()[1] for name in weights} == {"align", "finetune"}
    return weights


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Weights of the first trial, trained in this process."""
    storage = tmp_path_factory.mktemp("undisturbed")
    planned = planned_shape(SHAPES["1w-zero0"], storage)
    run(planned.task(planned.plan.trials[0].id, storage))
    return weights_of(storage)


def run_disturbed(storage: Path, cluster: TwoNodes, *options: str, is_drained: bool) -> Failure:
    """Run the study's first trial and take the node away on which it is. Returns the attempt that fails by it."""
    asked = ["--offline", "--no-rehearsal", "--features", "cache", "--limit", "1", "--address", cluster.address]
    with followed_run(STUDY_FILE, storage, *asked, *options) as driver:
        wait_for(lambda: _has_begun(driver, storage), "the log of a worker")
        node = cluster.busy()
        assert node is not None
        if is_drained:
            cluster.drain(node)
        node.kill()
        said, _ = driver.communicate(timeout=TIMEOUT_S)
    assert driver.returncode == 0, said
    assert "1 of 1 trials are done." in said, said
    plan = planned_shape(SHAPES["1w-zero0"], storage).plan
    (failure,) = read_failures(LocalStore(storage), plan.study, plan.trials[0].id)
    assert failure.node_id == node.id
    assert failure.host
    return failure


def _has_begun(driver: subprocess.Popen[str], storage: Path) -> bool:
    assert driver.poll() is None, driver.communicate()[0]
    return any(storage.glob("studies/*/trials/*/rank-0.log"))


@pytest.mark.parametrize("launcher", get_args(LauncherName))
def test_a_trial_whose_node_dies_goes_on_elsewhere_and_ends_byte_for_byte_as_undisturbed(
    launcher: LauncherName, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    with two_nodes() as cluster:
        failure = run_disturbed(tmp_path, cluster, "--launcher", launcher, is_drained=False)
    assert failure.kind == "lost"
    assert weights_of(tmp_path) == undisturbed


@pytest.mark.parametrize("launcher", get_args(LauncherName))
def test_a_trial_whose_node_is_drained_and_taken_away_goes_on_elsewhere_and_ends_as_undisturbed(
    launcher: LauncherName, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    with two_nodes() as cluster:
        failure = run_disturbed(tmp_path, cluster, "--launcher", launcher, is_drained=True)
    assert failure.kind in ("preempted", "lost")  # where Ray says first that the process cannot be reached, the latter
    assert weights_of(tmp_path) == undisturbed
