"""Claims about lmms-eval's samples: scores, images and references are read off the keys that it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.items.harnesses.contract import Choices, Run
from orchestrator.items.harnesses.lmms_eval import HARNESS, read
from search_spaces.errors import InputError
from tests.support.harness_files import DATE, lmms_sample, mme_metrics, pope_metrics, write_samples

RIGHT = (1, 0, 1, 1)


def run_of(folder: Path, samples: list[dict[str, Any]], task: str = "pope", **choices: str) -> Run:
    return read(write_samples(folder, task, samples), Choices(**choices))[0]


def samples_of(metrics: Any) -> list[dict[str, Any]]:
    return [lmms_sample(number, right, metrics(number, right)) for number, right in enumerate(RIGHT)]


def test_metrics_with_the_same_score_are_one(tmp_path: Path) -> None:
    run = run_of(tmp_path, samples_of(pope_metrics))
    assert run.benchmark == "pope"
    assert run.metric == "pope_accuracy, pope_precision, pope_recall, pope_f1_score, pope_yes_ratio"
    assert [question.score for question in run.questions] == [1, 0, 1, 1]
    question = run.questions[1]
    assert question == (f"{tmp_path}/{DATE}_samples_pope.jsonl:2", "1", 0.0, None, "Yes", "no")


def test_another_metric_for_another_kind_of_question_is_no_choice(tmp_path: Path) -> None:
    samples = samples_of(lambda number, right: mme_metrics(number, right, len(RIGHT)))
    run = run_of(tmp_path, samples, task="mme")
    assert (run.metric, run.cluster) == ("mme_perception_score, mme_cognition_score", None)
    assert [question.score for question in run.questions] == [1, 0, 1, 1]
    named = run_of(tmp_path, samples, task="mme", cluster="question_id")
    assert [question.cluster for question in named.questions[:2]] == ["existence/000000.jpg"] * 2


@pytest.mark.parametrize("value", [1, 1.0, True, [1.0], {"score": 1.0, "id": 7}, {"score": True}])
def test_a_metric_is_a_number_or_a_mapping_with_its_score(value: object, tmp_path: Path) -> None:
    assert run_of(tmp_path, samples_of(lambda *_: {"exact_match": value})).questions[0].score == 1.0


def test_metrics_that_differ_need_a_choice(tmp_path: Path) -> None:
    samples = samples_of(lambda _, right: {"exact_match": right, "anls": 0.5 + right / 2})
    with pytest.raises(InputError, match="--metric: must be one of exact_match, anls: they do not say the same"):
        run_of(tmp_path, samples)
    assert [q.score for q in run_of(tmp_path, samples, metric="anls").questions] == [1, 0.5, 1, 1]


def test_a_field_of_a_metric_may_be_the_score(tmp_path: Path) -> None:
    samples = samples_of(lambda _, right: {"mmmu_acc": {"id": "x", "answer": "A", "right": right}})
    with pytest.raises(InputError, match=r"has mmmu_acc \(a mapping of id, answer, right\)\n`--metric NAME`"):
        run_of(tmp_path, samples)
    assert [q.score for q in run_of(tmp_path, samples, metric="mmmu_acc.right").questions] == [1, 0, 1, 1]


def test_a_metric_on_another_scale_is_named_with_its_range(tmp_path: Path) -> None:
    samples = samples_of(lambda number, _: {"gpt_eval_score": {"score": 1 + 3 * number}})
    with pytest.raises(InputError, match=r"for every question, but has gpt_eval_score \(from 1 to 10\)"):
        run_of(tmp_path, samples)


def test_documents_of_older_versions_name_the_image(tmp_path: Path) -> None:
    samples = [{**sample, "doc": {"image_id": 7 + sample["doc_id"] // 2}} for sample in samples_of(pope_metrics)]
    run = run_of(tmp_path, samples)
    assert (run.cluster, [question.cluster for question in run.questions]) == ("image_id", ["7", "7", "8", "8"])


def test_records_of_older_versions_lie_under_logs(tmp_path: Path) -> None:
    path = tmp_path / "pope.json"
    logs = [{**sample, "doc": {"question": "?"}, "resps": [["Yes"]]} for sample in samples_of(pope_metrics)]
    path.write_text(json.dumps({"args": {"tasks": "pope"}, "model_configs": {"task": "pope"}, "logs": logs}))
    run = read(path, Choices())[0]
    assert (run.benchmark, [question.score for question in run.questions]) == ("pope", [1, 0, 1, 1])


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("20250303_101010_samples_mmmu_val.jsonl", "mmmu_val"),
        ("samples_vqav2_2025-03-03T10-10-10.123456.jsonl", "vqav2"),
        ("20250303_101010_samples_ai2d.jsonl.gz", "ai2d"),
        ("mine.jsonl", None),
    ],
)
def test_the_task_is_read_off_the_name(name: str, task: str | None, tmp_path: Path) -> None:
    assert HARNESS.is_result(tmp_path / name) == (task is not None)
    path = write_samples(tmp_path, "x", samples_of(pope_metrics)).rename(tmp_path / name)
    if task is not None:
        assert read(path, Choices())[0].benchmark == task
        return
    with pytest.raises(InputError, match="--benchmark: must be given: the file is not called"):
        read(path, Choices())
    assert read(path, Choices(benchmark="own"))[0].benchmark == "own"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ({"doc_id": None}, ":2: a line of lmms-eval's samples must have doc_id"),
        ({f"pope_{name}": None for name in ("accuracy", "precision", "recall", "f1_score", "yes_ratio")},
         ":2: must have a metric from 0 to 1"),
        ({"filter": "strict"}, "filter: must hold the scores of one filter, but has strict, flexible"),
    ],
)  # fmt: skip
def test_lines_that_are_no_samples_are_named(spoil: dict[str, Any], message: str, tmp_path: Path) -> None:
    samples = samples_of(pope_metrics)
    if "filter" in spoil:
        samples = [{**sample, "filter": name} for name in ("strict", "flexible") for sample in samples]
    samples[1].update(spoil)
    with pytest.raises(InputError) as raised:
        run_of(tmp_path, samples)
    assert message in str(raised.value)


def test_a_wrong_name_of_a_metric_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must have the metric pope_acc as a number") as raised:
        run_of(tmp_path, samples_of(pope_metrics), metric="pope_acc")
    assert "Did you mean 'pope_accuracy'?" in str(raised.value)
    with pytest.raises(InputError, match="must have the field image, which names the image; the same in 3 more"):
        run_of(tmp_path, samples_of(pope_metrics), cluster="image")
