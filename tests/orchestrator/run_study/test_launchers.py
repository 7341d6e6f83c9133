"""A study ends with the same bytes whichever launcher starts its workers, and whatever happens to them."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import psutil
import pytest

from measurements.drill.compare import findings
from measurements.drill.toy_study import STUDY_FILE
from orchestrator.planning.planned import PlanOptions, expand, plan
from orchestrator.planning.preflight import known_digests
from orchestrator.state.failures import read_failures
from search_spaces.plan import Plan
from search_spaces.study_files import load_study
from search_spaces.worker_contract import LauncherName
from tests.support.command_line import ablate
from tests.support.followed_run import followed_run
from tests.support.two_nodes import wait_for
from trainables.storage import layout
from trainables.storage.store import LocalStore

pytestmark = [pytest.mark.ray, pytest.mark.slow]

ONE_ARM = "axes.epochs=[1.4]"
LONG = ("base.epochs=12", "axes.epochs=[12]")
"""A trial that lasts long enough to be disturbed."""
ONE, TWO = "resources.workers=1", "resources={workers: 2, zero: 2, checkpoint_every_steps: 2, hang_timeout_s: 20}"
LAUNCHERS = get_args(LauncherName)
TIMEOUT_S = 400.0


def options(launcher: LauncherName, sets: Sequence[str]) -> list[str]:
    words = [word for override in sets for word in ("--set", override)]
    return ["--offline", "--no-rehearsal", "--features", "cache", "--launcher", launcher, *words]


def run(launcher: LauncherName, storage: Path, *sets: str) -> None:
    ablate("run", str(STUDY_FILE), *options(launcher, sets), storage=storage)


def planned(storage: Path, *sets: str) -> Plan:
    chosen = PlanOptions(storage, storage / "sources", sets, features="cache")
    return plan(expand(load_study(str(STUDY_FILE), sets), chosen), chosen, known_digests(LocalStore(storage)))


def facts(storage: Path, *sets: str) -> Mapping[str, Any]:
    """Digests of weights and losses, rows of tables, scores and points of histories; all of them are there."""
    found = findings(storage, planned(storage, *sets)).facts
    assert len(found) > 10
    assert None not in found.values()
    return found


def process_of(storage: Path, rank: int) -> psutil.Process | None:
    """The process that the log of a rank names last; None if it names none that is there."""
    named = [
        re.findall(r"^=== .* pid (\d+)$", log.read_text(), re.M)
        for log in storage.glob(f"studies/*/trials/*/rank-{rank}.log")
    ]
    try:
        return psutil.Process(int(named[0][-1]))
    except (IndexError, psutil.NoSuchProcess):
        return None


def checkpoints(storage: Path) -> set[Path]:
    return set(storage.glob("stages/*/checkpoints/[0-9]*/"))


@pytest.mark.parametrize("workers", [ONE, TWO], ids=["one worker", "two"])
def test_weights_scores_and_histories_are_equal_to_the_bit_by_every_launcher(workers: str, tmp_path: Path) -> None:
    for launcher in LAUNCHERS:
        run(launcher, tmp_path / launcher, ONE_ARM, workers)
    by_gang, by_train = (facts(tmp_path / launcher, ONE_ARM, workers) for launcher in LAUNCHERS)
    assert by_train == by_gang


def test_a_trial_that_diverges_is_a_result_by_every_launcher(tmp_path: Path) -> None:
    steep = "recipe.finetune.optimizer.lr=1e30"
    for launcher in LAUNCHERS:
        run(launcher, tmp_path / launcher, ONE_ARM, steep)
    by_gang, by_train = (facts(tmp_path / launcher, ONE_ARM, steep) for launcher in LAUNCHERS)
    assert any(name.endswith(": result") and value[1] for name, value in by_gang.items())
    assert by_train == by_gang


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    storage = tmp_path_factory.mktemp("undisturbed")
    run("gang", storage, *LONG, TWO)
    return facts(storage, *LONG, TWO)


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_killed_and_a_stopped_rank_are_named_and_the_trial_ends_as_undisturbed(
    launcher: LauncherName, undisturbed: Mapping[str, Any], tmp_path: Path
) -> None:
    with followed_run(STUDY_FILE, tmp_path, *options(launcher, [*LONG, TWO])) as driver:
        struck: list[psutil.Process] = []
        for number in (signal.SIGKILL, signal.SIGSTOP):
            before = checkpoints(tmp_path)
            wait_for(
                lambda before=before: checkpoints(tmp_path) - before and process_of(tmp_path, 1) not in struck,
                "a checkpoint of this attempt",
            )
            process = process_of(tmp_path, 1)
            assert process is not None
            struck.append(process)
            os.kill(process.pid, number)
        said, _ = driver.communicate(timeout=TIMEOUT_S)
    assert driver.returncode == 0, said
    (trial,) = planned(tmp_path, *LONG, TWO).trials
    killed, stopped = read_failures(LocalStore(tmp_path), "drill", trial.id)
    assert (killed.kind, killed.rank, killed.host) == ("lost", 1, socket.gethostname())
    assert (stopped.kind, stopped.rank, stopped.host) == ("hung", 1, socket.gethostname())
    assert f"rank 1 (pid {struck[1].pid}, stopped)" in stopped.message
    assert "rank 1: no stack could be had, it is stopped" in stopped.message
    assert "Stacks of rank 0" in stopped.traceback
    assert not psutil.wait_procs(struck, timeout=60)[1]
    assert facts(tmp_path, *LONG, TWO) == undisturbed


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_run_that_is_killed_or_stopped_leaves_no_process_and_is_finished_by_another_launcher(
    launcher: LauncherName, undisturbed: Mapping[str, Any], tmp_path: Path
) -> None:
    with followed_run(STUDY_FILE, tmp_path, *options(launcher, [*LONG, TWO])) as driver:
        wait_for(lambda: bool(checkpoints(tmp_path)), "a checkpoint")
        family = psutil.Process(driver.pid).children(recursive=True)
        assert process_of(tmp_path, 1) in family
        ablate("stop", "drill", "--wait", storage=tmp_path)
        said, _ = driver.communicate(timeout=TIMEOUT_S)
    (trial,) = planned(tmp_path, *LONG, TWO).trials
    ended_first = LocalStore(tmp_path).exists(
        layout.trial_result("drill", trial.id)
    )  # on a fast machine, before the stop
    assert (driver.returncode, "FAILED (killed)" in said) == ((0, False) if ended_first else (3, True)), said
    assert not psutil.wait_procs(family, timeout=60)[1]
    (other,) = set(LAUNCHERS) - {launcher}
    run(other, tmp_path, *LONG, TWO)
    assert facts(tmp_path, *LONG, TWO) == undisturbed
