"""A trial that was stopped goes on to the bytes of an undisturbed one, and shares the stages of others."""

from __future__ import annotations

import math
from itertools import takewhile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from search_spaces.outcomes import NodeDone, TrialDone
from search_spaces.spec import BenchmarkSpec, MixPart, MixSpec, OptimizerSpec
from tests.support.tiny_specs import language, source, stage, vision
from tests.support.tiny_trials import is_step, losses, make_task, run, run_until
from trainables.run_trial import run_trial
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import EvaluationResult, StageResult, TrialResult
from trainables.storage.spool import read_spool
from trainables.storage.store import LocalStore
from trainables.task import Context, TrialTask

TWO_STAGES = (stage("align", trains=("projector",), prompt="caption"), stage("finetune"))


def _stage_result(task: TrialTask, index: int = -1) -> StageResult:
    result = read(LocalStore(Path(task.storage)), layout.stage_result(task.stages[index].key), StageResult)
    assert result is not None
    return result


def _spool(task: TrialTask) -> list[Any]:
    return [line for _, line in read_spool(LocalStore(Path(task.storage)), layout.spool(task.study, task.id))]


def test_a_trial_ends_with_stage_results_scores_and_its_own_result(tmp_path: Path) -> None:
    task = make_task(tmp_path, stages=TWO_STAGES)
    events = run(task)
    store = LocalStore(tmp_path)
    done = [event.node for event in events if isinstance(event, NodeDone)]
    assert done == ["features-0", "features-1", "stage-0", "stage-1", "evaluation"]
    assert events[-1] == TrialDone()
    result = read(store, layout.trial_result("tiny", "tiny"), TrialResult)
    assert result is not None
    score = read(store, result.evaluations["shapes"], EvaluationResult)
    assert score is not None
    rows = pq.read_table(store.root / score.examples)
    scored = [name for name in rows.column_names if not name.startswith(("prior: ", "score by chance"))]
    assert scored == ["id", "cluster", "prediction", "parsed", "score", "prompt"]
    assert rows.num_rows == score.n == 10
    assert score.metrics["accuracy"] == pytest.approx(100 * sum(rows["score"].to_pylist()) / 10)
    assert rows.schema.metadata[b"benchmark"] == b"shapes"
    assert not store.exists(layout.checkpoints(task.stages[0].key))


def test_a_trial_run_again_trains_nothing(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    run(task)
    assert losses(run(task)) == []


def test_a_stage_that_another_trial_trained_is_shared_with_its_curve(tmp_path: Path) -> None:
    leader, follower = (make_task(tmp_path, trial_id=name) for name in ("leader", "follower"))
    trained = losses(run(leader))
    run(follower)
    shown = [line["metrics"]["train/loss"] for line in _spool(follower) if "train/loss" in line.get("metrics", {})]
    assert shown == trained
    names = [layout.trial_result("tiny", name) for name in ("leader", "follower")]
    first, second = (result.cost for name in names if (result := read(LocalStore(tmp_path), name, TrialResult)))
    assert second.gpu_seconds < first.gpu_seconds
    assert second.gpu_seconds_alone > second.gpu_seconds


@pytest.mark.parametrize("zero", [0, 1, 2, 3])
def test_a_trial_stopped_between_steps_goes_on_to_the_bytes_of_an_undisturbed_one(zero: int, tmp_path: Path) -> None:
    undisturbed = make_task(tmp_path / "whole", stages=TWO_STAGES, zero=zero, checkpoint_every_steps=2)
    expected = losses(run(undisturbed))
    task = make_task(tmp_path / "cut", stages=TWO_STAGES, zero=zero, checkpoint_every_steps=2)
    loop = run_trial(task, Context())
    first = list(takewhile(lambda progress: not is_step(progress, 5), loop))
    loop.close()  # type: ignore[attr-defined]
    rest = losses(run(task))
    assert losses(first) + rest == expected
    assert _stage_result(task).modules == _stage_result(undisturbed).modules
    assert _stage_result(task).losses_digest == _stage_result(undisturbed).losses_digest


def test_in_bf16_a_trial_goes_on_from_the_checkpoint_of_a_zero_stage_that_runs_as_its_own(tmp_path: Path) -> None:
    tuned = (stage(precision="bf16"),)
    whole, before, after = (
        make_task(tmp_path / folder, stages=tuned, zero=zero, checkpoint_every_steps=2)
        for folder, zero in (("whole", 2), ("cut", 0), ("cut", 2))
    )
    expected = losses(run(whole))
    first = losses(run_until(before, 5))
    rest = losses(run(after))
    assert first
    assert first + rest == expected


def test_a_resumed_trial_writes_each_step_to_its_spool_once(tmp_path: Path) -> None:
    task = make_task(tmp_path, checkpoint_every_steps=2)
    loop = run_trial(task, Context())
    for progress in loop:
        if is_step(progress, 5):
            break
    loop.close()  # type: ignore[attr-defined]
    run(task)
    steps = [line["step"] for line in _spool(task) if "train/loss" in line.get("metrics", {})]
    assert steps == [1, 2, 3, 4, 5, 6]
    assert [line["status"] for line in _spool(task) if "status" in line] == ["RUNNING", "RUNNING", "FINISHED"]


def test_streamed_features_train_to_the_losses_of_cached_ones(tmp_path: Path) -> None:
    cached, streamed = (losses(run(make_task(tmp_path / str(c), cached=c))) for c in (True, False))
    torch.testing.assert_close(torch.tensor(streamed), torch.tensor(cached), rtol=1e-4, atol=0)


def test_a_finetuned_encoder_is_saved_and_is_the_one_that_is_scored(tmp_path: Path) -> None:
    task = make_task(tmp_path, cached=False, stages=(stage(trains=("vision", "projector", "language"), max_steps=2),))
    run(task)
    file = tmp_path / f"{layout.stage_folder(task.stages[0].key)}/vision.safetensors"
    weights = load_file(file)
    assert any(key.startswith("tower.") for key in weights)
    LocalStore(tmp_path).remove("evaluations")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert len(losses(run(task))) == 2  # trained again
    assert file.read_bytes() == whole


def test_a_diverged_trial_is_a_result_and_is_not_scored(tmp_path: Path) -> None:
    hot = OptimizerSpec(kind="sgd", lr=1e30, clip=None)
    task = make_task(tmp_path, stages=(stage(optimizer=hot),))
    run(task)
    result = read(LocalStore(tmp_path), layout.trial_result("tiny", "tiny"), TrialResult)
    assert result is not None
    assert (result.diverged, result.evaluations) == (True, {})
    assert _stage_result(task).diverged


def test_text_only_and_image_records_train_together_at_every_zero_stage(tmp_path: Path) -> None:
    mixed = source(tags="color,text-only,shape")
    mix = MixSpec(name="mixed", parts=(MixPart(source=mixed),))
    for zero in (0, 2, 3):
        task = make_task(tmp_path / str(zero), stages=(stage(data=mix, max_steps=8),), zero=zero)
        assert all(math.isfinite(loss) for loss in losses(run(task)))


@pytest.mark.parametrize("family", ["llama", "mistral", "phi"])
def test_every_family_trains_in_bf16_with_activation_checkpointing(family: str, tmp_path: Path) -> None:
    tuned = stage(precision="bf16", activation_checkpointing=True, max_steps=2)
    trained = losses(run(make_task(tmp_path, stages=(tuned,), language_spec=language(family=family))))
    assert len(trained) == 2


def test_a_finetuned_encoder_is_scored_in_the_precision_it_was_trained_in(tmp_path: Path) -> None:
    everything = stage(trains=("vision", "projector", "language"), max_steps=2, precision="bf16")
    run(make_task(tmp_path, cached=False, stages=(everything,)))
    assert LocalStore(tmp_path).list("evaluations")


def test_a_transformer_encoder_trains_from_pixels(tmp_path: Path) -> None:
    vit = vision(arch="test_vit", family="vit", patch=16, width=64, tokens=16, options={"img_size": 64})
    task = make_task(tmp_path, vision_spec=vit, cached=False, stages=(stage(max_steps=2),))
    assert len(losses(run(task))) == 2


def test_answers_with_equal_first_tokens_are_ranked_by_their_whole_likelihood(tmp_path: Path) -> None:
    """Byte tokens: `circle`, `rectangle` and `triangle` begin differently, `yes` and `yesterday` do not."""
    shape = BenchmarkSpec(
        id="shapes", source=source("test"), select="shape", answers=("circle", "circles", "rectangle", "triangle")
    )
    task = make_task(tmp_path, benchmarks=(shape,))
    run(task)
    assert LocalStore(tmp_path).list("evaluations")
