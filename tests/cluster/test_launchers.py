"""Claims about every launcher of cluster/launchers.py: what search_spaces/worker_contract.py says of a group."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import psutil
import pytest
import ray

from cluster.connect import connect
from cluster.launcher import MemberCode, ResourceRequest
from cluster.launchers import LAUNCHERS
from cluster.process_state import set_environment
from cluster.ray_train import RayTrain
from search_spaces.errors import InputError
from search_spaces.outcomes import NodeDone, TrialDone, UnitDone
from search_spaces.worker_contract import LAUNCHER_NOTES, Advanced, Failed, LauncherName, NoRoom, Opened
from tests.support.fake_members import ConductedGroup, FakeTask, wait_for_room
from tests.support.two_nodes import wait_for

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("_cluster")]

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 300.0
"""For answers that come: generous, as it decides nothing."""

Start = Callable[[int], ConductedGroup]
Reserve = Callable[[ResourceRequest], ConductedGroup]


@pytest.fixture(scope="module")
def _cluster() -> Iterator[None]:
    """Two CPUs and a GPU that Ray believes in, for all tests of this module; workers find the fake member."""
    with pytest.MonkeyPatch.context() as patch, set_environment({"PYTHONPATH": str(ROOT)}):
        patch.setattr("cluster.connect.visible_gpus", lambda: 1)
        with connect(cpus=2):
            yield


def launchers(*, quick: bool = False) -> pytest.MarkDecorator:
    """Have a test run by every launcher. By Ray Train it takes 20 s, and is slow unless it is to be `quick`."""
    by_train = pytest.param("ray-train", marks=() if quick else pytest.mark.slow)
    return pytest.mark.parametrize("reserve", ["gang", by_train], indirect=True)


def launchers_and_workers(*, quick: bool = False) -> pytest.MarkDecorator:
    """Have a test run by every launcher with one worker and with two, of Ray Train's the latter if it is `quick`."""
    cases = [("gang", 1), ("gang", 2), pytest.param("ray-train", 1, marks=pytest.mark.slow)]
    by_train = pytest.param("ray-train", 2, marks=() if quick else pytest.mark.slow)
    return pytest.mark.parametrize(("reserve", "workers"), [*cases, by_train], indirect=["reserve"])


@pytest.fixture
def reserve(request: pytest.FixtureRequest) -> Iterator[Reserve]:
    """Makes the conductor of a trial with such workers, for each launcher in turn."""
    launcher = LAUNCHERS[request.param](None)
    conducted: list[ConductedGroup] = []

    def make(workers: ResourceRequest) -> ConductedGroup:
        conducted.append(ConductedGroup(launcher, workers))
        return conducted[-1]

    yield make
    for group in conducted:
        group.end()
    wait_for_room(launcher)


def code(folder: Path, name: str = "FakeMember") -> MemberCode:
    return MemberCode(f"tests.support.fake_members:{name}", {"folder": str(folder)})


@pytest.fixture
def start(reserve: Reserve, tmp_path: Path) -> Start:
    """Makes a group of so many fake members, whose files are in `tmp_path`."""

    def made(workers: int) -> ConductedGroup:
        group = reserve(ResourceRequest(workers))
        assert group.start(code(tmp_path)) == workers
        return group

    return made


def processes(folder: Path) -> list[psutil.Process]:
    """The processes of the ranks, in order."""
    return [psutil.Process(int(file.read_text().split()[0])) for file in sorted(folder.glob("made-*"))]


def test_every_name_of_a_launcher_has_its_line_in_the_tables_and_is_tested_here() -> None:
    assert set(LAUNCHERS) == set(LAUNCHER_NOTES) == set(get_args(LauncherName)) == {"gang", "ray-train"}


def test_ray_train_without_its_version_2_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TRAIN_V2_ENABLED", "0")
    with pytest.raises(InputError, match="RAY_TRAIN_V2_ENABLED"):
        LAUNCHERS["ray-train"](None)


@launchers_and_workers(quick=True)
def test_group_serves_one_task_after_another_in_the_same_processes(workers: int, start: Start, tmp_path: Path) -> None:
    group = start(workers)
    ranks = [file.read_text().split(maxsplit=1)[1] for file in sorted(tmp_path.glob("made-*"))]
    assert ranks == [f"{rank} of {workers} {rank} of {workers}" for rank in range(workers)]
    if workers > 1:
        assert {file.read_text() for file in tmp_path.glob("joined-*")} == {"rank 0's address"}
    before = processes(tmp_path)
    assert group.open(FakeTask("first"), TIMEOUT_S) == Opened()
    assert group.advance(2, TIMEOUT_S) == Advanced(UnitDone("n1", "count", 2, 3), 2, 0.1)
    group.close(TIMEOUT_S)
    assert group.open(FakeTask("second"), TIMEOUT_S) == Opened()
    assert group.open(FakeTask("third"), TIMEOUT_S) == Opened()
    assert group.advance(9, TIMEOUT_S) == Advanced(NodeDone("n1"), 4, 0.1)
    assert group.advance(9, TIMEOUT_S) == Advanced(TrialDone(), 1, 0.1)
    assert processes(tmp_path) == before
    assert {file.read_text() for file in tmp_path.glob("closed-*")} == {"first\nsecond\n"}
    assert len(list(tmp_path.glob("closed-*"))) == workers


@launchers_and_workers()
def test_rank_that_fails_is_the_answer_of_the_group(workers: int, start: Start) -> None:
    group, last = start(workers), workers - 1
    group.open(FakeTask("task", last, "fail"), TIMEOUT_S)
    failed = group.advance(9, TIMEOUT_S)
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.message, failed.traceback, failed.rank) == (
        "error",
        "task is broken",
        "a traceback",
        last,
    )
    assert (failed.host, failed.gpu) == (socket.gethostname(), None)
    assert failed.node_id in {node["NodeID"] for node in ray.nodes()}


@launchers_and_workers()
def test_code_that_cannot_be_imported_is_the_answer_of_the_start(
    workers: int, reserve: Reserve, tmp_path: Path
) -> None:
    failed = reserve(ResourceRequest(workers)).start(code(tmp_path, "NoSuchMember"))
    assert isinstance(failed, Failed)
    assert failed.kind == "error"
    assert "NoSuchMember" in failed.message
    assert "Traceback" in failed.traceback


@launchers(quick=True)
def test_rank_that_dies_is_lost(start: Start) -> None:
    group = start(2)
    group.open(FakeTask("task", 1, "die"), TIMEOUT_S)
    failed = group.advance(9, TIMEOUT_S)
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.rank) == ("lost", 1)


@launchers()
def test_rank_that_is_silent_is_hung_and_a_kill_ends_it_with_all_others(start: Start, tmp_path: Path) -> None:
    group = start(2)
    group.open(FakeTask("task", 1, "hang"), TIMEOUT_S)
    failed = group.advance(9, 2.0)
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.rank) == ("hung", 1)
    ranks = processes(tmp_path)
    assert str(ranks[1].pid) in failed.message
    assert "rank 1: in hang_in_c (support/fake_trials.py:" in failed.message
    assert "Stacks of rank 0" in failed.traceback
    assert "in hang_in_c" in failed.traceback.partition("Stacks of rank 1")[2]
    group.kill()
    assert not psutil.wait_procs(ranks, timeout=60)[1]
    group.kill()


@launchers()
def test_rank_that_is_stopped_is_hung_and_said_to_have_no_stack(start: Start) -> None:
    group = start(2)
    group.open(FakeTask("task", 0, "stop"), TIMEOUT_S)
    failed = group.advance(9, 2.0)
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.rank) == ("hung", 0)
    assert "rank 0: no stack could be had, it is stopped (SIGSTOP, or a debugger)" in failed.message
    assert "rank 1: in " in failed.message
    group.kill()


@launchers()
def test_kill_of_a_group_of_one_in_the_conductors_process_closes_the_task(start: Start, tmp_path: Path) -> None:
    group = start(1)
    (rank,) = processes(tmp_path)
    group.open(FakeTask("task"), TIMEOUT_S)
    group.kill()
    gone = psutil.wait_procs([rank], timeout=0)[0]
    assert gone or (tmp_path / "closed-0").read_text() == "task\n"
    group.kill()


@launchers()
def test_trials_with_parts_of_a_gpu_are_on_it_at_the_same_time(reserve: Reserve, tmp_path: Path) -> None:
    folders, failures = [tmp_path / name for name in ("first", "second")], []
    groups = [reserve(ResourceRequest(1, 1, 0.25)) for _ in folders]
    for group, folder in zip(groups, folders, strict=True):
        folder.mkdir()
        assert group.start(code(folder)) == 1
    assert len({process.pid for folder in folders for process in processes(folder) if process.is_running()}) == 2
    for group in groups:
        assert group.open(FakeTask("task", 0, "fail"), TIMEOUT_S) == Opened()
        failures.append(group.advance(9, TIMEOUT_S))
    assert [(failed.message, failed.gpu) for failed in failures if isinstance(failed, Failed)] == [
        ("task is broken", "0"),
        ("task is broken", "0"),
    ]


@launchers(quick=True)
def test_the_room_of_a_trial_whose_own_process_dies_while_its_workers_start_is_given_back(
    reserve: Reserve, tmp_path: Path
) -> None:
    group = reserve(ResourceRequest(2))
    group.starting(code(tmp_path))
    wait_for(lambda: len(list(tmp_path.glob("made-*"))) == 2, "both workers")
    ranks = processes(tmp_path)
    group.end()
    wait_for_room(LAUNCHERS["ray-train"](None))
    assert not psutil.wait_procs(ranks, timeout=60)[1]


@pytest.mark.slow
def test_room_that_another_takes_before_ray_train_does_is_no_failure_and_is_waited_for_again(tmp_path: Path) -> None:
    launcher, cpus = RayTrain(room_s=20.0), [{"CPU": 2.0}]
    first = ray.util.placement_group(cpus)
    ray.get(first.ready())
    group = ConductedGroup(launcher, ResourceRequest(2))
    started = group.starting(code(tmp_path))
    wait_for(lambda: "PENDING" in states(), "the look for room")
    next_in_line = ray.util.placement_group(cpus)
    ray.util.remove_placement_group(first)
    ray.get(next_in_line.ready())
    assert ray.get(started) == NoRoom()
    assert sorted(states()) == ["CREATED", "CREATED"]  # of the trial's own process, and of the next in line
    ray.util.remove_placement_group(next_in_line)
    assert group.start(code(tmp_path)) == 2
    group.end()
    wait_for_room(launcher)


def states() -> list[str]:
    """States of the placement groups that are there."""
    return [group["state"] for group in ray.util.placement_group_table().values() if group["state"] != "REMOVED"]
