"""Tracking servers that answer anything, and studies that are edited: nothing is lost, doubled or mixed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.entities import Metric

from orchestrator.state.ledger import read_ledger
from orchestrator.tracking.mlflow_errors import MESSAGE_SIZE
from orchestrator.tracking.mlflow_server import MlflowServer
from orchestrator.tracking.replay import Replay
from orchestrator.tracking.tracker import (
    NONE,
    TrackerAwayError,
    TrackerDeniedError,
    TrackerGoneError,
    TrackerRefusedError,
)
from search_spaces.identity import benchmark_key, needed_digests, source_name
from search_spaces.plan import Plan
from search_spaces.spec import BenchmarkSpec
from tests.support.broken_inputs import tries
from tests.support.fake_server import Response, fake_server
from tests.support.memory_tracker import MemoryTracker
from tests.support.spools import PLAN, fail, now_ms, spool_of, succeed, write_steps
from tests.support.stored_studies import answers, finish_stage, finish_trial, study_of, two_stage_plan
from tests.support.tiny_specs import source
from trainables.evaluation.results import evaluation_key
from trainables.storage import layout
from trainables.storage.record_files import read, write
from trainables.storage.records import EvaluationResult, StageResult, TrialResult
from trainables.storage.store import LocalStore

STATUSES = (*(200, 204, 301, 302, 304), *range(400, 432), 451, 499, *range(500, 512), 520, 530, 599)
BODIES = {
    "nothing": "",
    "an object": "{}",
    "a list": "[]",
    "a page": "<html><body>Sign in</body></html>",
    "a cut object": '{"error_code": "INVALID',
    "a detail": '{"detail": "Not Found"}',
    "a message": '{"message": "Forbidden"}',
    "a number as code": '{"error_code": 403, "message": "no"}',
    "an unknown code": '{"error_code": "TEAPOT", "message": "no"}',
    "denied": '{"error_code": "PERMISSION_DENIED", "message": "Permission denied"}',
    "not there": '{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Run 1 not found"}',
    "bad value": '{"error_code": "INVALID_PARAMETER_VALUE", "message": "Invalid metric name"}',
    "not active": '{"error_code": "INVALID_PARAMETER_VALUE", "message": "The run 1 must be in the \'active\' state"}',
    "read-only": '{"error_code": "INTERNAL_ERROR", "message": "attempt to write a readonly database"}',
}
CALLS: dict[str, Callable[[MlflowClient], object]] = {
    "log": lambda client: client.log_batch("1", metrics=[Metric("a", 1.0, 1, 1)]),
    "tag": lambda client: client.set_tag("1", "a", "b"),
    "run": lambda client: client.get_run("1"),
    "create": lambda client: client.create_run("1"),
    "search": lambda client: client.search_runs(["1"]),
    "experiment": lambda client: client.get_experiment_by_name("a"),
    "status": lambda client: client.set_terminated("1"),
    "file": lambda client: client.log_text("1", "text", "a.txt"),
}
KINDS = (TrackerAwayError, TrackerDeniedError, TrackerRefusedError)


@pytest.fixture(scope="module")
def answering() -> Iterator[tuple[str, dict[str, Response]]]:
    """A server that answers with what is written under `now`; to a probe, with what is under `probe`."""
    current = {"now": Response(200), "probe": Response(200)}
    with fake_server(lambda path: current["probe" if path.endswith("set-experiment-tag") else "now"]) as address:
        yield address, current


@tries("tracking", few=80)
@given(st.sampled_from(STATUSES), st.sampled_from(sorted(BODIES)), st.sampled_from(sorted(CALLS)), st.booleans())
def test_any_answer_of_a_server_is_one_of_four_kinds(
    answering: tuple[str, dict[str, Response]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    body: str,
    call: str,
    writes_others: bool,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    address, current = answering
    current["now"] = Response(status, BODIES[body])
    current["probe"] = Response(200) if writes_others else current["now"]
    harmless = ("experiments/set-experiment-tag", {"experiment_id": "1", "key": "a", "value": "b"})
    server = MlflowServer(MlflowClient(address), tmp_path, "fake", None, harmless)
    error: Exception | None = None
    try:
        with server.translate_artifact_errors() if call == "file" else server.translate_errors():
            CALLS[call](server.client)
    except KINDS as raised:
        error = raised
    if error is None:
        assert status < 400 or (call == "experiment" and body == "not there")  # that is how MLflow says that none is
        return
    said = str(error)
    assert said
    assert "\n" not in said
    assert len(said) <= MESSAGE_SIZE
    assert "object at 0x" not in said
    assert "<html" not in said
    if call != "file" and status in (502, 503, 504):
        assert isinstance(error, TrackerAwayError) or body in ("read-only", "denied") or writes_others
    if call != "file" and status in (401, 403) and body in ("nothing", "a page", "denied", "a number as code"):
        assert isinstance(error, TrackerDeniedError)


class FaultyTracker(MemoryTracker):
    """A server of which requests fail as a test says; a run that is gone is really gone."""

    def __init__(self, faults: random.Random, rate: float):
        super().__init__()
        self._faults, self._rate = faults, rate
        self.is_faulty = True
        self.refused_files = 0

    def _request(self) -> None:
        super()._request()
        if self.is_faulty and self._faults.random() < self._rate:
            raise self._faults.choice((TrackerAwayError, TrackerDeniedError))("no")

    def log(self, run: str, points: Sequence[Any], params: Any = NONE, tags: Any = NONE) -> None:
        if self.is_faulty and self._faults.random() < self._rate / 4:
            self.runs = {trial: known for trial, known in self.runs.items() if known != run}
            self.status.pop(run, None)
            raise TrackerGoneError("the run is deleted")
        self._refuse()
        super().log(run, points, params, tags)

    def attach(self, run: str | None, files: Mapping[str, str | Path]) -> None:
        if self.is_faulty and self._faults.random() < self._rate:
            self.refused_files += 1
            raise TrackerRefusedError("Not a directory", cause="ENOTDIR")
        super().attach(run, files)

    def offer_model(self, run: str, trial: Any, checkpoints: Any) -> None:
        self._refuse()
        super().offer_model(run, trial, checkpoints)

    def show_summary(self, summary: Any) -> None:
        self._refuse()
        super().show_summary(summary)

    def _refuse(self) -> None:
        if self.is_faulty and self._faults.random() < self._rate:
            raise TrackerRefusedError("it answers 500", cause="500", passing=True)


@tries("tracking", few=25)
@given(st.integers(0, 2**32), st.sampled_from((0.05, 0.2, 0.5, 0.9)), st.integers(1, 4))
def test_a_server_that_recovers_has_everything_once(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rate: float, sessions: int
) -> None:
    """Each session is that of another run; the last one meets a server that is well again."""
    faults = random.Random(seed)
    store, tracker = LocalStore(tmp_path_factory.mktemp("faulty")), FaultyTracker(faults, rate)
    step = 0
    for session in range(sessions + 1):
        tracker.is_faulty = session < sessions
        for trial in PLAN.trials:
            spool = spool_of(store, trial.id)
            write_steps(spool, range(step, step + 3))
            spool.write(step=step, metrics={"refused": 1.0})
            spool.write(tags={"ablate.session": str(session)})
            spool.write(artifact={"name": f"file{session}.json", "text": "{}"})
        step += 3
        if session == sessions:
            succeed(store, PLAN.trials[0].id)
            fail(store, PLAN.trials[1].id, "lost", now_ms() + 1000)
        replay = Replay(tracker, store, study_of(), PLAN, lambda text: None)
        for action in (replay.catch_up, lambda replay=replay: replay.close(None)):
            try:
                action()
            except (TrackerAwayError, TrackerDeniedError):
                assert tracker.is_faulty
        if not tracker.is_faulty:
            assert replay.unsent.sentence() is not None  # the metric that no server takes
            assert "refused" in str(replay.unsent.sentence())
    for trial in PLAN.trials:
        run = tracker.runs[trial.id]
        assert tracker.steps(trial.id, "train/loss") == list(range(step))
        assert tracker.tags[run]["ablate.session"] == str(sessions)
        assert {f"file{session}.json" for session in range(sessions + 1)} <= tracker.files[run].keys()
        assert {"spec.json", "environment.json"} <= tracker.files[run].keys()
    assert [tracker.status[tracker.runs[trial.id]] for trial in PLAN.trials] == ["FINISHED", "FAILED"]
    assert tracker.study == "FAILED"


POOL = tuple(
    BenchmarkSpec(id=name, source=source(), sample=sample)
    for name in ("shape", "colour", "count")
    for sample in (None, 10)
)
"""Three benchmarks, each of two selections."""
VERSIONS = st.lists(st.sampled_from(range(len(POOL))), min_size=1, max_size=4, unique_by=lambda place: POOL[place].id)


@tries("tracking", few=25)
@given(st.lists(VERSIONS, min_size=1, max_size=5), st.sampled_from((7, 8)))
def test_scores_of_every_version_of_a_study_are_found_again(
    tmp_path_factory: pytest.TempPathFactory, versions: list[list[int]], seed: int
) -> None:
    """A trial is done in a version whose benchmarks were all scored, in whichever order versions came."""
    store = LocalStore(tmp_path_factory.mktemp("edited"))
    scored: list[BenchmarkSpec] = []
    for version in (*versions, *reversed(versions)):
        plan = version_of([POOL[place] for place in version], seed)
        (trial,) = plan.trials
        ledger = read_ledger(plan, store)
        assert (ledger.trials[trial.id].state == "done") == all(spec in scored for spec in plan.benchmarks), version
        assert {name for _, name in ledger.evaluations} == {spec.id for spec in plan.benchmarks if spec in scored}
        for (_, name), evaluation in ledger.evaluations.items():
            assert evaluation.asked == plan.benchmark_keys[name]
        score(store, plan)
        scored += plan.benchmarks
        assert read_ledger(plan, store).trials[trial.id].state == "done"


def version_of(benchmarks: list[BenchmarkSpec], seed: int) -> Plan:
    """Plan one trial on these benchmarks, with all digests known."""
    plan = two_stage_plan(resolutions=(64,), seeds=(seed,))
    (trial,) = plan.trials
    names = {source_name(benchmark.source) for benchmark in benchmarks}
    digests = dict.fromkeys((*names, *needed_digests(trial.spec, len(trial.spec.stages) - 1)), "f" * 64)
    keys = {benchmark.id: benchmark_key(benchmark, digests) for benchmark in benchmarks}
    return replace(plan, benchmarks=tuple(benchmarks), digests=digests, benchmark_keys=keys)


def score(store: LocalStore, plan: Plan) -> None:
    """Write what a run leaves that trains and scores the plan's trial: its result names the last scores only."""
    (trial,) = plan.trials
    finish_trial(store, plan, trial, {benchmark.id: answers(0.5, n=20) for benchmark in plan.benchmarks})
    for node in trial.stage_nodes(plan):
        finish_stage(store, node)
    results = [read(store, layout.stage_result(node.key or ""), StageResult) for node in trial.stage_nodes(plan)]
    stages = [result for result in results if result is not None]
    result = read(store, layout.trial_result(plan.study, trial.id), TrialResult)
    assert result is not None
    named = {}
    for benchmark in plan.benchmarks:
        written = read(store, result.evaluations[benchmark.id], EvaluationResult)
        key = evaluation_key(trial.spec, plan.digests, benchmark, stages)
        named[benchmark.id] = layout.evaluation_result(key, benchmark.id)
        assert written is not None
        write(store, named[benchmark.id], replace(written, key=key))
    write(store, layout.trial_result(plan.study, trial.id), replace(result, evaluations=named))
