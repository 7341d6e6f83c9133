"""A trial writes its data, its cost and its machine for the tracking server."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from search_spaces.identity import source_name
from search_spaces.resources import micro_batch
from search_spaces.spec import MixPart, MixSpec, SourceSpec
from tests.support.gloo_pair import run_on_two
from tests.support.tiny_specs import source, stage
from tests.support.tiny_trials import is_step, make_task, run
from trainables.peak_memory import PeakMemory
from trainables.run_trial import run_trial
from trainables.storage import layout
from trainables.storage.spool import read_spool
from trainables.storage.store import LocalStore
from trainables.task import Context, TrialTask
from trainables.telemetry.trial_spool import TrialSpool


def lines_of(task: TrialTask) -> list[Any]:
    return [line for _, line in read_spool(LocalStore(Path(task.storage)), layout.spool(task.study, task.id))]


def metrics_of(task: TrialTask) -> dict[str, float]:
    return {name: value for line in lines_of(task) for name, value in line.get("metrics", {}).items()}


def test_data_is_told_with_digests_and_what_each_stage_drew(tmp_path: Path) -> None:
    task = make_task(tmp_path, stages=(stage("align", trains=("projector",), prompt="caption"), stage("finetune")))
    run(task)
    (data,) = [line["data"] for line in lines_of(task) if "data" in line]
    training, evaluation = data
    name = source_name(task.trial.stages[0].data.parts[0].source)
    assert (training["name"], training["context"]) == (name, "training")
    assert training["digest"] == task.digests[name]
    assert set(training["tags"]) == {"records.align", "share.align", "records.finetune", "share.finetune"}
    assert training["tags"]["share.finetune"] == "1.0000"
    assert (evaluation["name"], evaluation["context"], evaluation["tags"]["examples"]) == ("shapes", "evaluation", "10")


def test_costs_and_the_best_of_the_curve_are_told_at_the_end(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    run(task)
    losses = {line["step"]: line["metrics"]["train/loss"] for line in lines_of(task) if "train/loss" in str(line)}
    metrics = metrics_of(task)
    assert metrics["best/train_loss"] == min(losses.values())
    assert losses[int(metrics["best/step"])] == metrics["best/train_loss"]
    assert lines_of(task)[-1].get("status") == "FINISHED"
    assert metrics["cost/restarts"] == 0
    assert metrics["cost/samples_per_s"] > 0
    assert metrics["cost/peak_memory_gb"] > 0


def test_peak_memory_of_each_stage_is_told_beside_what_the_plan_expected(tmp_path: Path) -> None:
    task = make_task(tmp_path, stages=(stage("align", trains=("projector",), prompt="caption"), stage("finetune")))
    micro = micro_batch(task.trial.stages[0], task.stages[0].resources)
    expecting = [order.model_copy(update={"expected_memory": ((micro, 3 * 10**9),)}) for order in task.stages]
    task = task.model_copy(update={"stages": tuple(expecting)})
    run(task)
    metrics = metrics_of(task)
    for name in ("align", "finetune"):
        assert metrics[f"memory/{name}/reserved_gb"] > 0
        assert metrics[f"memory/{name}/planned_gb"] == 3


def _peaks_of_a_gpu() -> None:
    """Have a rank tell what torch counts on a GPU: rank 1 takes more than rank 0."""
    PeakMemory.read = lambda peak: (1 + int(os.environ["RANK"])) * 10**9  # type: ignore[method-assign]
    PeakMemory.read_allocated = lambda peak: PeakMemory.read(peak) // 2  # type: ignore[method-assign, operator]


def test_peak_memory_on_gpus_is_torchs_on_the_rank_with_the_most(tmp_path: Path) -> None:
    task = make_task(tmp_path, stages=(stage(max_steps=1),), benchmarks=(), workers=2)
    run_on_two([task], before=_peaks_of_a_gpu)
    metrics = metrics_of(task)
    assert metrics["cost/peak_memory_gb"] == metrics["memory/finetune/reserved_gb"] == 2.0
    assert metrics["memory/finetune/allocated_gb"] == 1.0


def test_restarts_are_counted_and_system_samples_do_not_count_as_steps(tmp_path: Path) -> None:
    task = make_task(tmp_path, checkpoint_every_steps=2)
    loop = run_trial(task, Context())
    for progress in loop:
        if is_step(progress, 3):
            break
    loop.close()  # type: ignore[attr-defined]
    run(task)
    assert metrics_of(task)["cost/restarts"] == 1
    steps = [line["step"] for line in lines_of(task) if "train/loss" in line.get("metrics", {})]
    assert steps == sorted(set(steps))
    sampled = [line for line in lines_of(task) if "system/node_0/cpu_percent" in line.get("metrics", {})]
    assert len(sampled) >= 2


@pytest.mark.parametrize(("context", "expected"), [(Context(2, 4, 0), []), (Context(2, 4, 0, "cpu", True), [2])])
def test_another_node_tells_of_itself_in_a_spool_of_its_own(
    context: Context, expected: list[int], tmp_path: Path
) -> None:
    task = make_task(tmp_path)
    spool = TrialSpool(task, LocalStore(tmp_path), context)
    spool.begin()
    spool.close()
    assert lines_of(task) if expected == [0] else not (tmp_path / layout.spool(task.study, task.id)).exists()
    written = sorted((tmp_path / layout.trial_folder(task.study, task.id)).glob("node-*.jsonl"))
    assert [path.name for path in written] == [f"node-{rank}.jsonl" for rank in expected]
    for path in written:
        assert all(
            "system/node_2/cpu_percent" in line["metrics"] for _, line in read_spool(LocalStore(path.parent), path.name)
        )


def test_records_without_their_images_are_told_in_a_tag_where_the_study_drops_them(tmp_path: Path) -> None:
    talk = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
    rows = [{"id": str(i), "conversations": talk, **({"image": f"{i}.png"} if i < 3 else {})} for i in range(12)]
    (tmp_path / "chat.json").write_text(json.dumps(rows))
    lossy = SourceSpec(name="chat", version="1", reader="llava", path="chat.json", without=("missing",))
    parts = (MixPart(source=lossy, drop=("missing",)), MixPart(source=source()))
    task = make_task(tmp_path, stages=(stage(data=MixSpec(name="m", parts=parts)),))
    run(task)
    (tags,) = [line["tags"] for line in lines_of(task) if "tags" in line]
    assert tags == {"ablate.diverged": "false", "ablate.left_out": "chat@1 (missing): 3"}


def test_trials_that_drop_nothing_so_have_no_tag_of_it(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    run(task)
    assert [line["tags"] for line in lines_of(task) if "tags" in line] == [{"ablate.diverged": "false"}]
