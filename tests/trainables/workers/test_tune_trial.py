"""Claims about trainables/workers/tune_trial.py, with a fake group of workers and without a cluster."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from search_spaces.outcomes import AwaitsRoom, FailureKind, NodeDone, Started, TrialDone, UnitDone
from search_spaces.resource_spec import ResourceSpec
from search_spaces.worker_contract import Advanced, Failed, Group, NoRoom, Opened
from tests.support.tiny_specs import trial_spec
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import Failure
from trainables.storage.store import LocalStore
from trainables.task import StageTask, TrialTask
from trainables.workers.tune_result import read_result
from trainables.workers.tune_trial import ALLOWANCE_S, GROWTH, STEP_S, TrialFailedError, TuneTrial

HANG_S = 33.0


class FakeGroup:
    """Answers what it was told to; `requests` are all that it was asked."""

    def __init__(self, answers: list[Advanced | Failed], size: int = 1, opens: Opened | Failed | None = None):
        self.answers, self.size, self.killed = answers, size, False
        self.is_own_process = size == 1
        self.reopens: Opened | Failed = opens or Opened()
        """Its answer to `open`, but for the first time."""
        self.requests: list[tuple[Any, ...]] = []

    def open(self, task: Any, timeout_s: float) -> Opened | Failed:
        self.requests.append(("open", task.id, timeout_s))
        return Opened() if len(self.requests) == 1 else self.reopens

    def advance(self, units: int, timeout_s: float) -> Advanced | Failed:
        self.requests.append(("advance", units, timeout_s))
        return self.answers.pop(0)

    def close(self, timeout_s: float) -> None:
        self.requests.append(("close", timeout_s))

    def kill(self) -> None:
        self.killed = True


def unit_done(units: int = 1, seconds: float = 0.1) -> Advanced:
    return Advanced(UnitDone("n1", "finetune", units, 100), units, seconds)


def node_done(units: int = 1, seconds: float = 0.1) -> Advanced:
    return Advanced(NodeDone("n1"), units, seconds)


def trial_done() -> Advanced:
    return Advanced(TrialDone(), 1, 0.1)


def failed(kind: FailureKind) -> Failed:
    return Failed(kind, "it broke", traceback="Traceback", rank=1)


def task(storage: Path, trial: str) -> TrialTask:
    return TrialTask(
        study="fake", id=trial, arm="base",
        trial=trial_spec(),
        features=(), stages=(StageTask(node="n1", key="k", steps=1, resources=ResourceSpec(hang_timeout_s=HANG_S)),),
        benchmarks=(), evaluation_node="e", digests={}, storage=str(storage), data=str(storage),
    )  # fmt: skip


Make = Callable[..., TuneTrial]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A trainable for trial `a` whose launcher hands out these groups; the tasks of `a` and `b` are on storage."""
    monkeypatch.setattr(ray, "get_runtime_context", lambda: SimpleNamespace(get_node_id=lambda: "node-1"))
    store = LocalStore(tmp_path)
    for trial in ("a", "b"):
        store.put(layout.trial_task("fake", trial), task(tmp_path, trial).model_dump_json().encode())

    def made(*groups: Group | Failed | NoRoom, **config: float) -> TuneTrial:
        waiting = list(groups)
        trainable = TuneTrial.__new__(TuneTrial)
        trainable.setup({"trial": "a", **config}, lambda *asked: waiting.pop(0), study="fake", storage=str(tmp_path))
        return trainable

    return made


def recorded(tmp_path: Path, trial: str = "a") -> Failure | None:
    return read(LocalStore(tmp_path), layout.trial_failure("fake", trial), Failure)


def test_step_first_one_starts_nothing_and_says_which_process_to_watch(make: Make) -> None:
    result = read_result(make().step())
    assert (result.event, result.node_id, result.pid) == (Started(fresh_group=True), "node-1", os.getpid())
    assert result.timeout_s > HANG_S + ALLOWANCE_S


def test_step_a_trial_whose_workers_find_no_room_shows_life_until_they_do(make: Make) -> None:
    group = FakeGroup([unit_done()], size=2)
    trial = make(NoRoom(), NoRoom(), group)
    results = [read_result(trial.step()) for _ in range(4)]
    events = [result.event for result in results]
    assert events == [Started(fresh_group=True), AwaitsRoom(), AwaitsRoom(), UnitDone("n1", "finetune", 1, 100)]
    assert all(result.timeout_s > HANG_S + 2 * ALLOWANCE_S for result in results[:3])


def test_step_units_grow_towards_a_second_and_start_again_at_one_after_a_node(make: Make) -> None:
    answers = [
        unit_done(units=1, seconds=0.01),
        unit_done(units=GROWTH, seconds=0.04),
        node_done(units=3, seconds=0.03),
        unit_done(units=1, seconds=5.0),
        unit_done(units=1, seconds=5.0),
    ]
    group = FakeGroup(answers)
    trial = make(group)
    for _ in range(6):
        trial.step()
    assert [request[1] for request in group.requests if request[0] == "advance"] == [1, GROWTH, GROWTH**2, 1, 1]


def test_step_first_unit_of_a_node_has_more_time_than_the_others(make: Make) -> None:
    group = FakeGroup([unit_done(), node_done(), unit_done(), unit_done()])
    trial = make(group)
    results = [read_result(trial.step()) for _ in range(5)]
    waits = [request[2] for request in group.requests if request[0] == "advance"]
    assert waits == [HANG_S + ALLOWANCE_S, HANG_S, HANG_S + ALLOWANCE_S, HANG_S]
    assert [result.timeout_s for result in results[1:]] == [HANG_S, HANG_S + ALLOWANCE_S, HANG_S, HANG_S]


def test_step_trial_done_ends_the_tune_trial(make: Make) -> None:
    trial = make(FakeGroup([unit_done(), trial_done()]))
    assert [trial.step()["done"] for _ in range(3)] == [False, False, True]


def test_reset_config_next_trial_uses_the_same_group(make: Make) -> None:
    group = FakeGroup([trial_done(), trial_done()])
    trial = make(group)
    trial.step(), trial.step()
    assert trial.reset_config({"trial": "b"})
    assert read_result(trial.step()).event == Started(fresh_group=False)
    assert trial.step()["trial"] == "b"
    assert [request[1] for request in group.requests if request[0] == "open"] == ["a", "b"]


def test_step_task_changed_between_setup_and_start_counts(make: Make, tmp_path: Path) -> None:
    group = FakeGroup([unit_done()])
    trial = make(group)
    changed = task(tmp_path, "a").model_copy(update={"id": "a-edited"})
    LocalStore(tmp_path).put(layout.trial_task("fake", "a"), changed.model_dump_json().encode())
    trial.step(), trial.step()
    assert group.requests[0][:2] == ("open", "a-edited")


@pytest.mark.parametrize("kind", ["lost", "hung", "memory", "error"])
def test_step_failure_is_recorded_in_the_trials_folder_and_ends_the_group(
    kind: FailureKind, make: Make, tmp_path: Path
) -> None:
    group = FakeGroup([unit_done(), failed(kind)])
    trial = make(group)
    trial.step(), trial.step()
    with pytest.raises(TrialFailedError, match=f"{kind}: it broke"):
        trial.step()
    found = recorded(tmp_path)
    assert found is not None
    assert found.message == ("it broke (in stage finetune at micro-batch 8)" if kind == "memory" else "it broke")
    assert (found.kind, found.traceback) == (kind, "Traceback")
    assert found.log == layout.worker_log("fake", "a", 1)
    assert group.killed


def test_step_failure_says_where_it_happened_during_which_work_and_in_which_attempt(make: Make, tmp_path: Path) -> None:
    again = task(tmp_path, "a").model_copy(update={"attempt": 3})
    LocalStore(tmp_path).put(layout.trial_task("fake", "a"), again.model_dump_json().encode())
    lost = replace(failed("lost"), host="host-b", node_id="node-2", gpu="4")
    trial = make(FakeGroup([unit_done(), node_done(), lost]))
    for _ in range(3):
        trial.step()
    with pytest.raises(TrialFailedError):
        trial.step()
    found = recorded(tmp_path)
    assert found is not None
    assert (found.attempt, found.during, found.rank) == (3, "e", 1)
    assert (found.host, found.node_id, found.gpu) == ("host-b", "node-2", "4")


def test_step_failure_before_the_first_unit_is_of_the_first_work(make: Make, tmp_path: Path) -> None:
    trial = make(failed("memory"))
    trial.step()
    with pytest.raises(TrialFailedError):
        trial.step()
    found = recorded(tmp_path)
    assert found is not None
    assert (found.during, found.host, found.node_id) == ("n1", socket.gethostname(), "node-1")


def test_step_group_that_cannot_start_is_a_recorded_failure(make: Make, tmp_path: Path) -> None:
    trial = make(failed("error"))
    trial.step()
    with pytest.raises(TrialFailedError):
        trial.step()
    assert recorded(tmp_path) is not None


def test_step_reused_group_whose_workers_died_idle_is_replaced(make: Make, tmp_path: Path) -> None:
    first, second = FakeGroup([trial_done()], opens=failed("lost")), FakeGroup([trial_done()])
    trial = make(first, second)
    trial.step(), trial.step()
    trial.reset_config({"trial": "b"})
    trial.step()
    assert trial.step()["done"]
    assert first.killed
    assert recorded(tmp_path, "b") is None


def test_step_task_that_cannot_be_read_is_a_recorded_failure(make: Make, tmp_path: Path) -> None:
    trial = make()
    trial.reset_config({"trial": "missing"})
    with pytest.raises(TrialFailedError, match="FileNotFoundError"):
        trial.step()
    assert recorded(tmp_path, "missing") is not None


def test_tune_trial_module_imports_no_torch() -> None:
    """A group's conductor would pay 200 MB and six seconds for it."""
    script = "import sys, trainables.workers.tune_trial, cluster.gang; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


def test_a_trial_that_reports_rarely_reports_the_last_of_several_units_and_ends_at_once(
    make: Make,
) -> None:
    group = FakeGroup([unit_done(units, 1.0) for units in (1, 2, 3, 4)] + [node_done(), unit_done(), trial_done()])
    trainable = make(group, report_every_s=3.0)
    started = read_result(trainable.step())
    assert read_result(trainable.step()).event == UnitDone("n1", "finetune", 3, 100)
    assert read_result(trainable.step()).event == NodeDone("n1")
    last = read_result(trainable.step())
    assert last.event == TrialDone()
    assert started.timeout_s == read_result(make().step()).timeout_s + 3.0 - STEP_S


def test_a_group_that_does_not_start_leaves_its_failure_in_the_log_that_is_named(make: Make, tmp_path: Path) -> None:
    trainable = make(failed("error"))
    trainable.step()
    with pytest.raises(TrialFailedError):
        trainable.step()
    failure = recorded(tmp_path)
    assert failure is not None
    assert (tmp_path / failure.log).read_text() == "it broke\nTraceback\n"
