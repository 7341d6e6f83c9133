"""A gang over hosts whose own name is 127.0.1.1 meets over their network: Ray's real nodes, each in namespaces."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from measurements.drill.toy_study import STUDY_FILE
from tests.support.node_namespaces import namespaces_refused, node_lab
from trainables.storage.record_files import read
from trainables.storage.records import Failure
from trainables.storage.store import LocalStore

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(namespaces_refused() is not None, reason=f"no namespaces: {namespaces_refused()}"),
]

TIMEOUT_S = 400.0


def command(storage: Path, *options: str) -> list[str]:
    """Run the first trial of the drill's study on the lab's cluster, by two workers."""
    run = [sys.executable, "-m", "orchestrator", "run", str(STUDY_FILE), "--storage", str(storage), "--address", "HEAD"]
    return [*run, "--offline", "--no-rehearsal", "--limit", "1", "--set", "resources.workers=2", *options]


def log_of_the_failure(storage: Path) -> str:
    """Read the log of the rank that has said first that the group cannot meet: any may be that."""
    (file,) = storage.glob("studies/*/trials/*/failure.json")
    failure = read(LocalStore(storage), str(file.relative_to(storage)), Failure)
    assert failure is not None
    return (storage / failure.log).read_text()


def test_a_gang_over_hosts_whose_name_is_loopback_meets_over_the_interface_of_rays_address(tmp_path: Path) -> None:
    with node_lab(command(tmp_path)) as lab:
        code, said = lab.finished(TIMEOUT_S)
    assert code == 0, said
    assert "1 of 1 trials are done." in said


def test_a_trial_runs_on_the_node_whose_label_it_asks_for(tmp_path: Path) -> None:
    asked = command(tmp_path, "--set", "resources.workers=1", "--set", "resources.labels.number=node-2")
    seen = set[int]()
    with node_lab(asked, head_cpus=3) as lab:
        while lab.process.poll() is None:
            seen |= {number for number in (1, 2) if lab.has_trial(number)}
            time.sleep(0.2)
        code, said = lab.finished(TIMEOUT_S)
    assert code == 0, said
    assert "1 of 1 trials are done." in said
    assert seen == {2}


def test_a_trial_that_can_go_anywhere_is_not_on_the_node_that_a_waiting_trial_asks_for(tmp_path: Path) -> None:
    """The base trains first what both need. Ray by itself takes the second node for it, which has more CPUs."""
    text = STUDY_FILE.read_text()
    axes = "axes:\n  epochs: [1.4, 0.8]\n"
    assert axes in text
    study = tmp_path / "labelled.yaml"
    study.write_text(
        text.replace(axes, "arms:\n  bound: {epochs: 0.8, resources: {labels: {number: node-2}}}\n").replace(
            "study: drill", "study: labelled"
        )
    )
    run = [sys.executable, "-m", "orchestrator", "run", str(study), "--storage", str(tmp_path / "storage")]
    seen = list[int]()
    with node_lab([*run, "--address", "HEAD", "--offline", "--no-rehearsal"], cpus=3) as lab:
        while lab.process.poll() is None:
            seen += [number for number in (1, 2) if number not in seen and lab.has_trial(number)]
            time.sleep(0.2)
        code, said = lab.finished(TIMEOUT_S)
    assert code == 0, said
    assert "2 of 2 trials are done." in said
    assert seen == [1, 2]


def test_a_trial_with_a_label_that_no_node_has_is_refused_with_those_that_they_have(tmp_path: Path) -> None:
    with node_lab(command(tmp_path, "--set", "resources.labels.number=node-3")) as lab:
        code, said = lab.finished(TIMEOUT_S)
    assert code == 2, said
    assert "on nodes with number node-3, but the cluster has 2 nodes" in said
    assert "1 CPU (number node-2)" in said


@pytest.mark.slow
def test_a_gang_over_hosts_of_ipv6_meets(tmp_path: Path) -> None:
    with node_lab(command(tmp_path), ipv6=True) as lab:
        code, said = lab.finished(TIMEOUT_S)
    assert code == 0, said
    assert "1 of 1 trials are done." in said


@pytest.mark.slow
def test_a_group_that_cannot_meet_names_hosts_and_interfaces_and_an_interface_that_is_not_there_is_refused(
    tmp_path: Path,
) -> None:
    with node_lab(command(tmp_path, "--interface", "eth9")) as lab:
        code, said = lab.finished(TIMEOUT_S)
    assert code == 2, said
    assert "node-1 has no eth9" in said
    assert "node-2 has no eth9" in said
    with node_lab(command(tmp_path, "--interface", "lo")) as lab:
        code, said = lab.finished(TIMEOUT_S)
    assert code == 1, said
    assert "on node-1 (lo, 10.77.0.1)" in said
    assert "on node-2 (lo, 10.77.0.2)" in said
    assert "on node-2 (lo, 10.77.0.2)" in log_of_the_failure(tmp_path)
