"""Claims about whole runs by every launcher, on a local Ray cluster; the trials are fakes that write files."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import psutil
import pytest

from cluster.connect import connect
from cluster.launcher import MemberCode
from cluster.process_state import set_environment
from orchestrator.running.attempts import Outcomes, RunSettings
from orchestrator.running.retry_policy import Budgets
from orchestrator.running.trial_events import TrialEvent
from orchestrator.running.tuner import run_trials
from search_spaces.outcomes import UnitDone
from search_spaces.resource_spec import ResourceSpec
from search_spaces.worker_contract import LauncherName
from tests.support.command_line import ROOT
from tests.support.fake_trials import LOOP, STUDY, Fakes, lines
from tests.support.other_hosts import lease_files
from tests.support.two_nodes import wait_for
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import Failure
from trainables.storage.store import LocalStore

pytestmark = pytest.mark.ray

FAKE = MemberCode("trainables.workers.worker:Worker", {"loop": LOOP, "joins": False})
LAUNCHER_NAMES = get_args(LauncherName)


@pytest.fixture(scope="module")
def _cluster() -> Iterator[None]:
    """Two CPUs; workers find the fake loop."""
    with set_environment({"PYTHONPATH": str(ROOT)}), connect(cpus=2):
        yield


@dataclass(frozen=True)
class FullRun:
    """What became of trials that need four CPUs, on two: one of two workers that die at first, and two of one."""

    storage: Path
    outcomes: Outcomes


@pytest.fixture(scope="module", params=LAUNCHER_NAMES)
def full_run(request: pytest.FixtureRequest, _cluster: None, tmp_path_factory: pytest.TempPathFactory) -> FullRun:
    storage = tmp_path_factory.mktemp("full")
    fakes = Fakes(storage, {"wide": ["s1", "s2"], "good": ["s3"], "bad": ["s4"]})
    fakes.resources = {"wide": ResourceSpec(workers=2)}
    fakes.behaviours["wide"] = {"dies_at": "s2", "dies_until": 1}
    fakes.behaviours["bad"] = {"fail_at": "s4"}
    settings = RunSettings(STUDY, request.param, code=FAKE)
    return FullRun(storage, run_trials(fakes.work, fakes.nodes, (), fakes.task, LocalStore(storage), settings))


def test_more_trials_than_fit_run_one_after_another_and_leave_no_lease(full_run: FullRun) -> None:
    assert set(full_run.outcomes.done) == {"wide", "good"}
    assert {node: trial for node, trial, *_ in lines(full_run.storage, "produced")} == {
        "s1": "wide",
        "s2": "wide",
        "s3": "good",
    }
    assert len(lines(full_run.storage, "produced")) == 3
    assert not lease_files(full_run.storage)


def test_a_trial_whose_workers_are_killed_goes_on_in_the_same_run_after_what_it_has_done(full_run: FullRun) -> None:
    store = LocalStore(full_run.storage)
    (name,) = store.list(layout.trial_attempts(STUDY, "wide"))
    failure = read(store, name, Failure)
    assert failure is not None
    assert (failure.kind, failure.attempt, failure.during) == ("lost", 1, "s2")
    assert (failure.host, failure.log) == (socket.gethostname(), layout.worker_log(STUDY, "wide", failure.rank or 0))
    assert failure.message == f"the process of rank {failure.rank} is gone: killed, out of memory, or crashed"


def test_an_error_of_the_loop_is_a_failure_with_its_message_traceback_rank_and_log(full_run: FullRun) -> None:
    failure = full_run.outcomes.failed["bad"]
    assert (failure.kind, failure.message, failure.rank) == ("error", "ValueError: broken at s4", 0)
    assert (failure.host, failure.during) == (socket.gethostname(), "s4")
    assert "in _unit" in failure.traceback
    assert "ValueError: broken at s4" in (full_run.storage / failure.log).read_text()


@pytest.mark.parametrize("launcher", LAUNCHER_NAMES)
def test_a_signal_ends_every_process_and_gives_leases_back(launcher: LauncherName, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.run_fakes", str(tmp_path)]
    paths = json.dumps({"a": ["s1"], "b": ["s2"], "c": ["s3"]})
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([*command, paths, "60", launcher], stdout=subprocess.PIPE, text=True, env=variables) as run:
        wait_for(lambda: len(lines(tmp_path, "pids")) == 2 or run.poll() is not None, "two trials")
        family = psutil.Process(run.pid).children(recursive=True)
        assert {int(pid) for _, pid in lines(tmp_path, "pids")} <= {child.pid for child in family}
        run.send_signal(signal.SIGINT)
        said, _ = run.communicate(timeout=120)
    assert run.returncode == 128 + signal.SIGINT
    assert not psutil.wait_procs(family, timeout=60)[1]
    assert sorted(json.loads(said)["killed"]) == ["a", "b"]
    assert not lease_files(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("_cluster")
@pytest.mark.parametrize("launcher", LAUNCHER_NAMES)
def test_the_room_of_a_trial_whose_own_process_is_stopped_is_given_to_the_next(
    launcher: LauncherName, tmp_path: Path
) -> None:
    fakes = Fakes(tmp_path, {"victim": ["s1"], "next": ["s2"]})
    fakes.steps = {"victim": 100_000}
    fakes.resources = {trial: ResourceSpec(workers=2, hang_timeout_s=3) for trial in fakes.paths}
    stopped: list[psutil.Process] = []

    def strike(event: TrialEvent) -> None:
        if isinstance(event.event, UnitDone) and not stopped:
            own = [child for child in psutil.Process().children(recursive=True) if _conducts(child)]
            stopped.extend(own)
            for process in own:
                process.suspend()

    settings = RunSettings(STUDY, launcher, code=FAKE, budgets=Budgets(hung=0))
    outcomes = run_trials(fakes.work, fakes.nodes, (), fakes.task, LocalStore(tmp_path), settings, strike)
    assert len(stopped) == 1
    assert outcomes.done == ("next",)
    assert outcomes.failed["victim"].kind == "hung"


def _conducts(process: psutil.Process) -> bool:
    """Whether this is the own process of a trial, by the words with which Ray calls it."""
    return any(name in " ".join(process.cmdline()) for name in ("Trainable", "TuneTrial"))
