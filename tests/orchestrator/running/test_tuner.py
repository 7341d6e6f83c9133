"""Claims about orchestrator/running/tuner.py, on a local Ray cluster; with it launcher, `connect` and trainable.

The trials are fakes that write files; one test joins two workers in a real gloo group.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cluster.connect import connect
from cluster.fit import NodeResources
from cluster.launcher import MemberCode, ResourceRequest
from orchestrator.running.attempts import Outcomes, RunSettings
from orchestrator.running.leases import RENEW_EVERY_S
from orchestrator.running.rehearsals import PlannedRehearsal, Rehearsals
from orchestrator.running.retry_policy import Again, Budgets, GivenUp
from orchestrator.running.trial_events import AttemptFailed, Dispatched, TrialEvent
from orchestrator.running.tuner import run_trials
from search_spaces.outcomes import NodeDone, Started, TrialDone, UnitDone
from search_spaces.resource_spec import ResourceSpec
from tests.support.fake_trials import LOOP, STUDY, Fakes, lines
from tests.support.other_hosts import ELSEWHERE, lease_files, take_over
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import Failure
from trainables.storage.store import LocalStore

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[3]
FAKE = MemberCode("trainables.workers.worker:Worker", {"loop": LOOP, "joins": False})
TWO = ResourceSpec(workers=2)
ONE = ResourceRequest()


@pytest.fixture(scope="module")
def _cluster() -> Iterator[None]:
    """Two CPUs for all tests of this module; workers find the fake loop."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(ROOT)
    with connect(cpus=2):
        yield
    os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


def run(
    fakes: Fakes,
    on_event: Callable[[TrialEvent], None] = lambda event: None,
    code: MemberCode = FAKE,
    limit: int | None = None,
    renew_every_s: float = RENEW_EVERY_S,
    **settings: Any,
) -> Outcomes:
    chosen = RunSettings(STUDY, code=code, max_concurrent=limit, renew_every_s=renew_every_s, **settings)
    return run_trials(fakes.work, fakes.nodes, (), fakes.task, LocalStore(fakes.storage), chosen, on_event)


def failures_aside(storage: Path, trial: str) -> list[Failure]:
    """Failures of a trial that were followed by another attempt, in order."""
    store = LocalStore(storage)
    found = [read(store, name, Failure) for name in store.list(layout.trial_attempts(STUDY, trial))]
    assert all(failure is not None for failure in found)
    return [failure for failure in found if failure is not None]


def produced(storage: Path) -> dict[str, str]:
    """Node -> the trial that produced it; fails if a node was produced twice."""
    found = lines(storage, "produced")
    assert len({node for node, *_ in found}) == len(found)
    return {node: trial for node, trial, *_ in found}


def pids(storage: Path, node: str) -> list[int]:
    """Processes that have worked on a node, in the order in which they began."""
    return list(dict.fromkeys(int(pid) for name, pid in lines(storage, "pids") if name == node))


@pytest.mark.usefixtures("_cluster")
class TestOneCluster:
    def test_run_shared_stage_is_produced_once_and_followers_start_before_the_leader_ends(self, tmp_path: Path) -> None:
        fakes = Fakes(tmp_path, {"leader": ["s1", "a1"], "follower": ["s1", "b1"]})
        fakes.behaviours["leader"] = {"gate": "open"}
        events: list[tuple[str, object]] = []

        def note(event: TrialEvent) -> None:
            events.append((event.trial, event.event))
            match event.trial, event.event:
                case ("leader", Dispatched()) | ("follower", Started()):
                    (tmp_path / "open").touch()
                case "leader", NodeDone("s1"):
                    (tmp_path / "open").unlink()  # the leader waits in its second stage until the follower has started

        outcomes = run(fakes, note)
        assert set(outcomes.done) == {"leader", "follower"}
        assert produced(tmp_path) == {"s1": "leader", "a1": "leader", "b1": "follower"}
        assert events.index(("follower", Dispatched())) < events.index(("leader", TrialDone()))
        assert not lease_files(tmp_path)

    def test_run_trials_of_one_shape_share_one_group_one_after_another(self, tmp_path: Path) -> None:
        fakes = Fakes(tmp_path, {name: [f"s-{name}"] for name in "abcd"})
        fakes.resources = dict.fromkeys("abcd", TWO)
        outcomes = run(fakes)
        assert set(outcomes.done) == set("abcd")
        assert (outcomes.groups_started, outcomes.groups_reused) == (1, 3)
        assert len({pid for node in fakes.nodes for pid in pids(tmp_path, node)}) == 2

    def test_run_rehearsals_come_first_in_the_groups_of_trials_and_a_bad_one_blocks_only_its_own(
        self, tmp_path: Path
    ) -> None:
        fakes = Fakes(tmp_path, {"a": ["s-a"], "b": ["s-b"], "c": ["s-c"]})
        fakes.behaviours["b"] = {"fail_at": "s-b"}
        shapes = {"shape-a": ("a", "c"), "shape-b": ("b",)}
        planned = [PlannedRehearsal(shape, f"{shape}-proof", shape, ONE, trials) for shape, trials in shapes.items()]
        store, told = LocalStore(tmp_path), list[str]()
        settings = RunSettings(STUDY, code=FAKE, max_concurrent=1)
        outcomes = run_trials(
            fakes.work,
            fakes.nodes,
            (),
            fakes.task,
            store,
            settings,
            tell=told.append,
            rehearsals=Rehearsals(tuple(planned)),
        )
        assert set(outcomes.done) == {"a", "c"}
        assert {trial: failure.kind for trial, failure in outcomes.failed.items()} == {"b": "error"}
        assert [outcome.failure is None for outcome in outcomes.rehearsals] == [True, False]
        assert "open shape-b" in store.get(outcomes.failed["b"].log).decode()
        assert outcomes.groups_reused >= 1
        assert produced(tmp_path) == {"s-a": "a", "s-c": "c"}
        assert store.list(layout.SCRATCH) == []
        assert told[0].startswith("rehearsing 2 shapes of 3 trials first")

    def test_run_every_group_that_has_rehearsed_goes_on_with_trials_while_another_still_rehearses(
        self, tmp_path: Path
    ) -> None:
        fakes = Fakes(tmp_path, {"a": ["s-a"], "b": ["s-b"]})
        fakes.behaviours["b"] = {"gate": "open"}
        planned = [PlannedRehearsal(f"shape-{trial}", f"proof-{trial}", trial, ONE, (trial,)) for trial in "ab"]

        def open_once_a_is_done(event: TrialEvent) -> None:
            if (event.trial, event.event) == ("a", TrialDone()):
                for folder in (tmp_path, *(tmp_path / layout.SCRATCH).iterdir()):
                    (folder / "open").touch()

        outcomes = run_trials(
            fakes.work,
            fakes.nodes,
            (),
            fakes.task,
            LocalStore(tmp_path),
            RunSettings(STUDY, code=FAKE),
            open_once_a_is_done,
            rehearsals=Rehearsals(tuple(planned)),
        )
        assert set(outcomes.done) == {"a", "b"}
        assert (outcomes.groups_started, outcomes.groups_reused) == (0, 2)

    def test_run_rehearsals_are_no_part_of_the_gpu_seconds_that_are_left(self, tmp_path: Path) -> None:
        fakes = Fakes(tmp_path, {"a": ["s-a"]})
        planned = PlannedRehearsal("shape-a", "proof", "a", ONE, ("a",))
        settings = RunSettings(STUDY, code=FAKE, gpu_seconds_left=0.0)
        outcomes = run_trials(
            fakes.work,
            fakes.nodes,
            (),
            fakes.task,
            LocalStore(tmp_path),
            settings,
            rehearsals=Rehearsals((planned,)),
        )
        assert [outcome.failure for outcome in outcomes.rehearsals] == [None]
        assert (outcomes.not_started, outcomes.budget_spent) == (("a",), True)

    def test_run_mixed_shapes_start_one_group_for_each_shape(self, tmp_path: Path) -> None:
        fakes = Fakes(tmp_path, {name: [f"s-{name}"] for name in "abcdef"})
        fakes.resources = dict.fromkeys("ace", TWO)
        outcomes = run(fakes, limit=1)
        assert len(outcomes.done) == 6
        assert (outcomes.groups_started, outcomes.groups_reused) == (2, 4)

    def test_run_leader_fails_a_trial_held_back_takes_its_place(self, tmp_path: Path) -> None:
        fakes = Fakes(tmp_path, {"leader": ["s1", "a1", "a2"], "follower": ["s1", "b1"], "third": ["s1"]})
        fakes.behaviours["leader"] = {"fail_at": "s1"}
        outcomes = run(fakes)
        assert set(outcomes.done) == {"follower", "third"}
        assert produced(tmp_path) == {"s1": "follower", "b1": "follower"}
        failure = outcomes.failed["leader"]
        assert (failure.kind, failure.message) == ("error", "ValueError: broken at s1")
        assert "in _unit" in failure.traceback
        assert "ValueError: broken at s1" in (tmp_path / failure.log).read_text()
        assert (tmp_path / layout.trial_failure(STUDY, "leader")).exists()

    def test_run_again_after_a_failure_the_failed_trial_is_done_and_its_failure_forgotten(self, tmp_path: Path) -> None:
        fakes = Fakes(tmp_path, {"a": ["s1", "s2"]}, fail_at="s2", raises="memory")
        first = run(fakes)
        assert first.failed["a"].kind == "memory"
        (tmp_path / "healed").touch()
        second = run(fakes)
        assert second.done == ("a",)
        assert read(LocalStore(tmp_path), layout.trial_failure(STUDY, "a"), Failure) is None
        assert [node for node, *_ in lines(tmp_path, "produced")] == ["s1", "s2"]

    def test_run_disk_full_that_storage_does_not_show_is_tried_again(self, tmp_path: Path) -> None:
        fakes = Fakes(tmp_path, {"a": ["s1"], "b": ["s2"]})
        fakes.behaviours["a"] = {"fail_at": "s1", "raises": "full"}

        def heal(event: TrialEvent) -> None:
            if isinstance(event.event, AttemptFailed):
                (tmp_path / "healed").touch()

        outcomes = run(fakes, heal)
        assert (set(outcomes.done), outcomes.failed, outcomes.storage_trouble) == ({"a", "b"}, {}, None)
        assert [failure.kind for failure in failures_aside(tmp_path, "a")] == ["full"]

    def test_run_storage_renamed_away_and_back_is_a_pause_and_nothing_is_lost(self, tmp_path: Path) -> None:
        root, away = tmp_path / "storage", tmp_path / "away"
        root.mkdir()
        fakes = Fakes(root, {"a": ["s1", "s2"], "b": ["s3"]}, unit_s=0.2)
        told: list[str] = []

        def rename(event: TrialEvent) -> None:
            if isinstance(event.event, UnitDone) and not away.exists() and not told:
                root.rename(away)

        def come_back(sentence: str) -> None:
            told.append(sentence)
            if "PAUSED" in sentence:
                assert not root.exists()  # nobody has made it anew
                away.rename(root)

        settings, store = RunSettings(STUDY, code=FAKE), LocalStore(root)
        outcomes = run_trials(fakes.work, fakes.nodes, (), fakes.task, store, settings, rename, come_back)
        assert (set(outcomes.done), outcomes.failed, outcomes.storage_trouble) == ({"a", "b"}, {}, None)
        assert produced(root) == {"s1": "a", "s2": "a", "s3": "b"}
        assert ["PAUSED" in sentence for sentence in told] == [True, False]
        assert not lease_files(root)

    @pytest.mark.parametrize("workers", [1, 2])
    def test_run_worker_killed_its_trial_goes_on_in_the_same_run(self, workers: int, tmp_path: Path) -> None:
        fakes = Fakes(tmp_path, {"victim": ["s1", "s2"], "other": ["s3"], "heir": ["s1"]})
        fakes.resources = {"victim": ResourceSpec(workers=workers)}
        fakes.behaviours["victim"] = {"dies_at": "s2", "dies_until": 1}
        outcomes = run(fakes)
        assert (set(outcomes.done), outcomes.failed) == ({"victim", "other", "heir"}, {})
        assert produced(tmp_path) == {"s1": "victim", "s2": "victim", "s3": "other"}
        (failure,) = failures_aside(tmp_path, "victim")
        assert (failure.kind, failure.attempt, failure.during) == ("lost", 1, "s2")
        assert failure.host == socket.gethostname()
        assert not lease_files(tmp_path)

    def test_run_worker_killed_again_and_again_without_progress_is_given_up(self, tmp_path: Path) -> None:
        fakes = Fakes(tmp_path, {"victim": ["s1", "s2"], "other": ["s3"], "heir": ["s1"]})
        fakes.behaviours["victim"] = {"dies_at": "s1"}
        events: list[object] = []
        outcomes = run(fakes, lambda event: events.append(event.event), limit=1, budgets=Budgets(lost=1))
        assert set(outcomes.done) == {"other", "heir"}
        assert (outcomes.failed["victim"].kind, outcomes.failed["victim"].attempt) == ("lost", 2)
        assert len(failures_aside(tmp_path, "victim")) == 1
        follows = [event.follows for event in events if isinstance(event, AttemptFailed)]
        assert [type(each) for each in follows] == [Again, GivenUp]

    def test_run_equal_failures_stop_what_they_share_and_nothing_else(self, tmp_path: Path) -> None:
        fakes = Fakes(tmp_path, {f"bad-s{seed}": [f"bad-{seed}"] for seed in range(5)} | {"good-s0": ["good"]})
        for seed in range(5):
            fakes.behaviours[f"bad-s{seed}"] = {"fail_at": f"bad-{seed}"}
        told: list[str] = []
        settings = RunSettings(STUDY, code=FAKE, max_concurrent=1)
        work, store = fakes.work, LocalStore(tmp_path)
        outcomes = run_trials(work, fakes.nodes, (), fakes.task, store, settings, tell=told.append)
        assert outcomes.done == ("good-s0",)
        assert len(outcomes.failed) == 3
        assert len(outcomes.not_started) == 2
        (stopped,) = outcomes.stopped
        assert (stopped.failed, set(stopped.left_out)) == (3, set(outcomes.not_started))
        assert len(told) == 1
        assert "3 trials failed alike (error: ValueError: broken at bad-# in _unit" in told[0]
        assert "no more trials with the arm bad are started, 2 trials left out" in told[0]

    @pytest.mark.parametrize("workers", [1, 2])
    def test_run_worker_stopped_its_trial_is_hung_and_its_processes_are_ended(
        self, workers: int, tmp_path: Path
    ) -> None:
        fakes = Fakes(tmp_path, {"victim": ["s1", "s2"], "other": ["s3"]})
        fakes.steps = {"victim": 3000}
        fakes.resources = {"victim": ResourceSpec(workers=workers, hang_timeout_s=3)}
        stopped: list[psutil.Process] = []

        def strike(event: TrialEvent) -> None:
            if event.trial == "victim" and isinstance(event.event, UnitDone) and not stopped:
                stopped.append(psutil.Process(pids(tmp_path, "s1")[-1]))
                stopped[0].suspend()

        outcomes = run(fakes, strike, budgets=Budgets(hung=0))
        failure = outcomes.failed["victim"]
        assert outcomes.done == ("other",)
        assert failure.kind == "hung"
        assert str(stopped[0].pid) in failure.message
        assert workers == 1 or "rank 1" in failure.message or "rank 0" in failure.message
        assert not psutil.wait_procs(stopped, timeout=20)[1]

    def test_run_worker_stopped_once_is_tried_again_once(self, tmp_path: Path) -> None:
        fakes = Fakes(tmp_path, {"victim": ["s1"]})
        fakes.steps, fakes.resources = {"victim": 50}, {"victim": ResourceSpec(hang_timeout_s=3)}
        stopped: list[int] = []

        def strike(event: TrialEvent) -> None:
            if isinstance(event.event, UnitDone) and not stopped:
                stopped.append(pids(tmp_path, "s1")[-1])
                os.kill(stopped[0], signal.SIGSTOP)

        assert run(fakes, strike).done == ("victim",)
        assert [failure.kind for failure in failures_aside(tmp_path, "victim")] == ["hung"]

    def test_run_lease_taken_over_stops_the_trial_as_lost(self, tmp_path: Path) -> None:
        fakes = Fakes(tmp_path, {"a": ["s1"]})
        fakes.steps = {"a": 3000}

        def strike(event: TrialEvent) -> None:
            if isinstance(event.event, UnitDone):
                take_over(tmp_path, "key-s1")

        outcomes = run(fakes, strike, renew_every_s=0.2, budgets=Budgets(lost=0))
        assert outcomes.failed["a"].kind == "lost"
        assert "lease" in outcomes.failed["a"].message
        assert [path.parent.name for path in lease_files(tmp_path)] == ["key-s1"]
        assert LocalStore(tmp_path).lease_owner("key-s1") == ELSEWHERE

    def test_run_two_workers_join_one_gloo_group_and_compute_together(self, tmp_path: Path) -> None:
        fakes = Fakes(tmp_path, {"a": ["s1"], "b": ["s2"]})
        fakes.resources = {"a": TWO, "b": TWO}
        outcomes = run(
            fakes, code=MemberCode("trainables.workers.worker:Worker", {"loop": "tests.support.fake_trials:gloo_loop"})
        )
        assert set(outcomes.done) == {"a", "b"}
        assert outcomes.groups_started == 1
        sums = sorted((tmp_path / "sums").read_text().splitlines())
        assert sums == ["a [1.0, 3.0, 5.0] 2 0", "b [1.0, 3.0, 5.0] 2 0"]

    def test_run_tells_nothing_on_the_terminal(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        fakes = Fakes(tmp_path, {"good": ["s1"], "bad": ["s2"]})
        fakes.behaviours["bad"] = {"fail_at": "s2"}
        run(fakes)
        assert capfd.readouterr() == ("", "")
        assert "broken at s2" in (tmp_path / layout.driver_log(STUDY)).read_text()

    def test_run_nothing_to_do_asks_no_cluster(self, tmp_path: Path) -> None:
        assert run(Fakes(tmp_path, {})) == Outcomes()


def test_run_cluster_that_cannot_be_asked_is_the_error_that_is_raised(tmp_path: Path) -> None:
    def unreachable() -> list[NodeResources]:
        raise ConnectionError("the head of the cluster does not answer")

    fakes, store, events = Fakes(tmp_path, {"a": ["s1"]}), LocalStore(tmp_path), list[TrialEvent]()
    handler = signal.getsignal(signal.SIGINT)
    settings = RunSettings(STUDY, code=FAKE)
    with pytest.raises(ConnectionError, match="the head of the cluster does not answer"):
        run_trials(fakes.work, fakes.nodes, (), fakes.task, store, settings, events.append, list_nodes=unreachable)
    assert not events
    assert not lease_files(tmp_path)
    assert signal.getsignal(signal.SIGINT) is handler


def start(storage: Path, paths: dict[str, Any], unit_s: float) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.support.run_fakes", str(storage), json.dumps(paths), str(unit_s)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_run_twice_at_the_same_time_on_one_storage_produces_each_node_once(tmp_path: Path) -> None:
    paths = {f"t{i}": [f"shared{i % 2}", f"own{i}"] for i in range(6)}
    runs = [start(tmp_path, paths, 0.2) for _ in range(2)]
    told = [process.communicate(timeout=180) for process in runs]
    assert [process.returncode for process in runs] == [0, 0], told
    assert len(produced(tmp_path)) == 8
    for output, _ in told:
        assert set(json.loads(output)["done"]) == set(paths)
    assert not lease_files(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_signal_ends_everything_soon_gives_leases_back_and_records_it(number: int, tmp_path: Path) -> None:
    process = start(tmp_path, {"a": ["s1"], "b": ["s2"], "c": ["s3"]}, 60.0)
    deadline = time.monotonic() + 120
    while len(lines(tmp_path, "pids")) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    family = psutil.Process(process.pid).children(recursive=True)
    workers = {int(pid) for _, pid in lines(tmp_path, "pids")}
    assert workers <= {child.pid for child in family}
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors
    assert not psutil.wait_procs(family, timeout=20)[1]
    outcomes = json.loads(output)
    assert (sorted(outcomes["killed"]), outcomes["not_started"]) == (["a", "b"], ["c"])
    assert not lease_files(tmp_path)
    failure = read(LocalStore(tmp_path), layout.trial_failure(STUDY, "a"), Failure)
    assert failure is not None
    assert failure.kind == "killed"
