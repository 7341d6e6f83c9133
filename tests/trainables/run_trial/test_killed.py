"""A trial that is killed anywhere goes on to the weights, scores and histories of an undisturbed one."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from search_spaces.spec import BenchmarkSpec, OptimizerSpec
from tests.support.copying_store import ContextOf
from tests.support.failing_store import FailingStore, KilledError, Place
from tests.support.tiny_specs import stage
from tests.support.tiny_trials import make_task, run
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import EvaluationResult, Resumes, StageResult, TrialResult
from trainables.storage.spool import is_of_machine, read_spool
from trainables.storage.store import LocalStore, Store
from trainables.task import TrialTask

MEASURED = ("train/samples_per_s", "train/mfu", "cost/", "memory/")
"""Metrics that measure time or memory: an attempt more has other values, but as many."""


def _task(root: Path, trial_id: str = "tiny", **options: Any) -> TrialTask:
    return make_task(root, trial_id=trial_id, checkpoint_every_steps=2, **options)


def _store(task: TrialTask) -> LocalStore:
    return LocalStore(Path(task.storage))


def _history(task: TrialTask) -> dict[tuple[str, int], list[float | str]]:
    """Metric and step -> all values that the spool has of it; measured ones are only counted."""
    history: dict[tuple[str, int], list[float | str]] = defaultdict(list)
    for _, line in read_spool(_store(task), layout.spool(task.study, task.id)):
        for metric, value in () if is_of_machine(line) else line.get("metrics", {}).items():
            is_measured = metric.startswith(MEASURED)
            history[metric, line["step"]].append("measured" if is_measured else repr(value))
    return dict(history)


def _work(task: TrialTask, store: Store) -> tuple[object, ...]:
    """Digests of the weights and losses, and the scores."""
    stages = [read(store, layout.stage_result(order.key), StageResult) for order in task.stages]
    result = read(store, layout.trial_result(task.study, task.id), TrialResult)
    assert result is not None
    scores = {name: read(store, file, EvaluationResult) for name, file in result.evaluations.items()}
    return (
        [(stage.modules, stage.losses_digest, stage.steps) for stage in stages if stage is not None],
        {name: score.points for name, score in scores.items() if score is not None},
        {name: (store.reading(score.examples)).read_bytes() for name, score in scores.items() if score is not None},
        result.diverged,
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> TrialTask:
    task = _task(tmp_path_factory.mktemp("undisturbed"))
    run(task)
    return task


def _is_checkpoint(name: str, step: int) -> bool:
    return f"/checkpoints/{step:08d}-" in name


PLACES: dict[str, Place] = {
    "before a checkpoint has its name": lambda at, name: at == "before move" and _is_checkpoint(name, 4),
    "behind the first checkpoint": lambda at, name: at == "behind move" and _is_checkpoint(name, 2),
    "behind a checkpoint, before its step is told": lambda at, name: at == "behind move" and _is_checkpoint(name, 4),
    "behind the stage's weights": lambda at, name: at == "behind writing" and name.endswith("language.safetensors"),
    "before the stage's curve": lambda at, name: at == "before put" and name.endswith("curve.json"),
    "before the stage's result": lambda at, name: (
        at == "before put" and name.startswith("stages/") and "result" in name
    ),
    "behind the stage's result": lambda at, name: (
        at == "behind put" and name.startswith("stages/") and "result" in name
    ),
    "behind the scores": lambda at, name: at == "behind put" and name.endswith("shapes.json"),
    "before the trial's result": lambda at, name: at == "before put" and name.endswith("trials/tiny/result.json"),
    "behind the trial's result": lambda at, name: at == "behind put" and name.endswith("trials/tiny/result.json"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_trial_killed_anywhere_ends_as_an_undisturbed_one(place: str, undisturbed: TrialTask, tmp_path: Path) -> None:
    task = _task(tmp_path)
    with pytest.raises(KilledError):
        run(task, ContextOf(kept_in=FailingStore(tmp_path, PLACES[place])))
    if place != "behind the trial's result":
        run(task)
    assert _work(task, _store(task)) == _work(undisturbed, _store(undisturbed))
    assert _history(task) == _history(undisturbed)
    assert all(len(values) == 1 for values in _history(task).values())
    assert not _store(task).exists(layout.checkpoints(task.stages[0].key))


def test_a_trial_killed_at_every_checkpoint_in_turn_has_each_point_once(undisturbed: TrialTask, tmp_path: Path) -> None:
    task = _task(tmp_path)
    for step in (2, 4):
        store = FailingStore(tmp_path, lambda at, name, step=step: at == "behind move" and _is_checkpoint(name, step))
        with pytest.raises(KilledError):
            run(task, ContextOf(kept_in=store))
    run(task)
    assert _history(task) == _history(undisturbed)
    resumes = read(_store(task), layout.trial_resumes(task.study, task.id), Resumes)
    assert resumes is not None
    assert [(resume.stage, resume.step, resume.passed_over) for resume in resumes.resumes] == [
        ("finetune", 2, {}),
        ("finetune", 4, {}),
    ]


@pytest.mark.parametrize("place", ["behind a checkpoint, before its step is told", "behind the stage's result"])
def test_a_trial_that_takes_a_stage_over_has_the_history_of_an_undisturbed_one(
    place: str, undisturbed: TrialTask, tmp_path: Path
) -> None:
    leader, follower = _task(tmp_path), _task(tmp_path, "follower")
    with pytest.raises(KilledError):
        run(leader, ContextOf(kept_in=FailingStore(tmp_path, PLACES[place])))
    run(follower)
    run(leader)
    for task in (leader, follower):
        assert _work(task, _store(task)) == _work(undisturbed, _store(undisturbed))
        assert _history(task) == _history(undisturbed)


def test_a_diverged_stage_is_told_alike_by_all_who_share_it(tmp_path: Path) -> None:
    hot = OptimizerSpec(kind="sgd", lr=1e30, clip=None)
    leader, follower = (_task(tmp_path, name, stages=(stage(optimizer=hot),)) for name in ("leader", "follower"))
    run(leader)
    run(follower)
    assert _history(follower) == _history(leader)
    assert any(value == repr(math.nan) for values in _history(leader).values() for value in values)


def test_a_diverged_step_leaves_no_checkpoint_that_another_step_could_follow(tmp_path: Path) -> None:
    hot = OptimizerSpec(kind="sgd", lr=1e30, clip=None)
    whole, cut = (make_task(tmp_path / name, stages=(stage(optimizer=hot),), checkpoint_every_steps=1) for name in "ab")
    run(whole)
    place: Place = lambda at, name: at == "before put" and name.endswith("curve.json")  # noqa: E731
    with pytest.raises(KilledError):
        run(cut, ContextOf(kept_in=FailingStore(tmp_path / "b", place)))
    run(cut)
    assert _work(cut, _store(cut)) == _work(whole, _store(whole))


def _costs(task: TrialTask) -> list[float]:
    return [
        line["metrics"]["cost/wall_seconds"]
        for _, line in read_spool(_store(task), layout.spool(task.study, task.id))
        if "cost/wall_seconds" in line.get("metrics", {})
    ]


def test_a_trial_that_goes_on_after_its_result_tells_its_new_cost(tmp_path: Path) -> None:
    task = _task(tmp_path)
    run(task)
    for name in _store(task).list("evaluations"):
        _store(task).remove(name)
    run(task)
    assert len(_costs(task)) == 2


def test_a_trial_that_is_asked_for_more_has_cost_its_work_before_and_the_new_scoring(tmp_path: Path) -> None:
    task = _task(tmp_path)
    run(task)
    store, place = _store(task), layout.trial_result(task.study, task.id)
    before = read(store, place, TrialResult)
    again = BenchmarkSpec(id="again", source=task.benchmarks[0].source)
    run(task.model_copy(update={"benchmarks": (*task.benchmarks, again)}))
    after = read(store, place, TrialResult)
    assert before is not None
    assert after is not None
    scores = [read(store, name, EvaluationResult) for name in after.evaluations.values()]
    seconds = {score.benchmark: score.gpu_seconds for score in scores if score is not None}
    assert seconds.keys() == {"shapes", "again"}
    assert after.cost.gpu_seconds == pytest.approx(before.cost.gpu_seconds + seconds["again"])
    assert after.cost.gpu_seconds_alone == pytest.approx(before.cost.gpu_seconds_alone + seconds["again"])
    assert after.cost.wall_seconds > before.cost.wall_seconds


def test_an_attempt_that_finds_its_trial_done_leaves_result_and_cost_as_they_are(tmp_path: Path) -> None:
    task = _task(tmp_path)
    result = layout.trial_result(task.study, task.id)
    run(task)
    before, costs = _store(task).get(result), _costs(task)
    run(task)
    assert _store(task).get(result) == before
    assert _costs(task) == costs
    assert all(len(values) == 1 for values in _history(task).values())


def test_a_worker_that_has_half_a_gpu_costs_half_of_its_seconds(tmp_path: Path) -> None:
    for name, share in (("half", {"gpus_per_worker": 0.5}), ("whole", {"gpus_per_worker": 1.0}), ("cpu", {})):
        task = _task(tmp_path / name, **share)
        run(task)
        stage_result = read(_store(task), layout.stage_result(task.stages[0].key), StageResult)
        assert stage_result is not None
        records = stage_result.steps * task.trial.stages[0].global_batch
        seconds = records / stage_result.samples_per_second
        assert stage_result.gpu_seconds == pytest.approx(seconds * (0.5 if name == "half" else 1.0))
