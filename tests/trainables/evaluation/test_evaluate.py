"""Claims about scoring inside a trial."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from search_spaces.identity import source_name
from search_spaces.outcomes import UnitDone
from search_spaces.spec import BenchmarkSpec
from tests.support.tiny_specs import source, stage
from tests.support.tiny_trials import make_task, run
from trainables.data.prepared import PreparedSource
from trainables.evaluation import question_batches
from trainables.evaluation.results import evaluation_key, read_results
from trainables.export.folder import finished_stages
from trainables.run_trial import run_trial
from trainables.storage import layout
from trainables.storage.records import EvaluationResult
from trainables.storage.store import LocalStore
from trainables.task import Context, TrialTask

SHAPES = BenchmarkSpec(id="shapes", source=source("test"), select="shape")


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(question_batches, "MOST_QUESTIONS", 3)


def _score(task: TrialTask) -> EvaluationResult:
    store = LocalStore(Path(task.storage))
    return read_results(task, finished_stages(task, store), store)["shapes"]


def test_stopped_scoring_goes_on_behind_the_batches_that_were_answered(tmp_path: Path) -> None:
    task = make_task(tmp_path, stages=(stage(max_steps=1),), benchmarks=(SHAPES,))
    loop = run_trial(task, Context())
    for event in loop:
        if isinstance(event, UnitDone) and event.label.startswith("evaluate") and event.step == 2:
            break
    loop.close()  # type: ignore[attr-defined]
    store = LocalStore(tmp_path)
    key = evaluation_key(task.trial, task.digests, SHAPES, finished_stages(task, store))
    log = store.root / f"{layout.evaluation_answers(key, 'shapes')}/rank-0.jsonl"
    kept = [json.loads(line) for line in log.read_text().splitlines() if line]
    assert [number for number, _ in kept] == [0, 1]
    surely_triangles = [[number, [[-9.0, -9.0, 0.0] for _ in answers]] for number, answers in kept]
    log.write_text("".join(f"{json.dumps(line)}\n" for line in surely_triangles))

    run(task)
    predictions = pq.read_table(store.root / _score(task).examples)["prediction"].to_pylist()
    assert predictions.count("triangle") >= 6, "the six answers that were there were taken as they are"
    assert not log.exists()


def test_scores_are_the_same_from_cached_features_and_from_the_encoder(tmp_path: Path) -> None:
    cached = make_task(tmp_path / "cached", benchmarks=(SHAPES,))
    streamed = make_task(tmp_path / "streamed", benchmarks=(SHAPES,), cached=False)
    for task in (cached, streamed):
        run(task)
    assert _score(cached).points == _score(streamed).points


def test_a_result_says_what_its_numbers_mean_and_what_a_constant_answer_would_get(tmp_path: Path) -> None:
    task = make_task(tmp_path, stages=(stage(max_steps=1),), benchmarks=(SHAPES,))
    run(task)
    score = _score(task)
    prepared = PreparedSource(LocalStore(tmp_path), task.digests[source_name(SHAPES.source)])
    answers = [prepared.turns(row)[-1][1] for row in prepared.rows_with("shape")]
    ((_, most),) = Counter(answers).most_common(1)
    assert score.majority == pytest.approx(100 * most / len(answers))
    assert score.priors["best constant answer"] == score.majority
    columns = pq.read_table(LocalStore(tmp_path).root / score.examples)
    assert 100 * columns["prior: best per question type"].to_numpy().mean() >= score.majority
    assert 100 * columns["score by chance"].to_numpy().mean() == pytest.approx(score.points_by_chance)
    assert (score.headline, score.units, score.warnings) == ("accuracy", {}, ())
    assert score.metrics["accuracy"] == pytest.approx(score.points)


def test_batches_answered_in_parts_give_the_same_answers_and_the_result_says_so(tmp_path: Path) -> None:
    whole = make_task(tmp_path / "whole", benchmarks=(SHAPES,))
    parts = make_task(tmp_path / "parts", benchmarks=(SHAPES,)).model_copy(update={"question_parts": 2})
    for task in (whole, parts):
        run(task)
    first, second = (
        pq.read_table(LocalStore(Path(task.storage)).root / _score(task).examples)["prediction"].to_pylist()
        for task in (whole, parts)
    )
    assert first == second
    assert not any("out of memory" in warning for warning in _score(whole).warnings)
    assert any("answered in 2 parts" in warning for warning in _score(parts).warnings)
