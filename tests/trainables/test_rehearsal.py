"""Claims about trainables/rehearsal.py: the real libraries on tiny trials, in one process and in two."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from search_spaces.outcomes import NodeDone, TrialDone
from search_spaces.spec import MixPart, MixSpec
from tests.support.gloo_pair import run_on_two
from tests.support.miniature_trial import ALL, SMALL, TRAIN, mini_task
from tests.support.rehearsals import rehearsal_of, shown_by
from tests.support.tiny_specs import stage
from tests.support.tiny_trials import make_task, run
from trainables.miniature.generate import generate
from trainables.rehearsal import QUESTIONS, rehearse
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import TrialResult
from trainables.storage.store import LocalStore
from trainables.task import Context, StageTask, TrialTask
from trainables.training.state_files import open_state

TWO_STAGES = (stage("align", trains=("projector",), prompt="caption"), stage("finetune"))


def _files(root: Path) -> dict[str, str]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _weights(task: TrialTask) -> dict[str, str]:
    return {name: digest for name, digest in _files(Path(task.storage)).items() if name.endswith(".safetensors")}


@pytest.mark.parametrize("zero", [0, 3])
def test_a_trial_after_rehearsals_in_its_process_has_the_weights_and_scores_of_one_without(
    tmp_path: Path, zero: int
) -> None:
    alone = make_task(tmp_path / "alone", stages=TWO_STAGES, zero=zero)
    run(alone)
    task = make_task(tmp_path / "after", stages=TWO_STAGES, zero=zero)
    for number in range(2):
        run(rehearsal_of(task, tmp_path / f"scratch{number}"))
    run(task)
    assert _weights(task) == _weights(alone) != {}
    parquet = [
        {name: d for name, d in _files(Path(t.storage)).items() if name.endswith(".parquet")} for t in (alone, task)
    ]
    assert parquet[0] == parquet[1] != {}


def test_a_rehearsal_yields_the_path_of_its_trial_and_writes_to_scratch_alone(tmp_path: Path) -> None:
    task = make_task(tmp_path / "real", stages=TWO_STAGES)
    before = _files(tmp_path / "real")
    events = run(rehearsal_of(task, tmp_path / "scratch"))
    assert [event.node for event in events if isinstance(event, NodeDone)] == list(task.path)
    assert events[-1] == TrialDone()
    assert _files(tmp_path / "real") == before
    result = read(LocalStore(tmp_path / "scratch"), layout.trial_result("tiny", "shape"), TrialResult)
    assert result is not None
    record = shown_by(tmp_path / "scratch")
    assert [shown.name for shown in record.stages] == ["align", "finetune"]
    assert record.questions == {"shapes": QUESTIONS}
    assert all(shown.checkpoint_bytes > 0 for shown in record.stages)


def test_a_rehearsal_leaves_the_random_generators_as_they_were(tmp_path: Path) -> None:
    def draws() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(5)
    expected = draws()
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(5)
    run(rehearsal_of(make_task(tmp_path), tmp_path / "scratch"))
    assert draws() == expected


def test_an_encoder_that_is_part_of_the_model_is_rehearsed_with_it(tmp_path: Path) -> None:
    task = make_task(tmp_path / "real", cached=False, stages=(stage(trains=("vision", "projector", "language")),))
    run(rehearsal_of(task, tmp_path / "scratch"))
    assert shown_by(tmp_path / "scratch").stages[0].micro_batch == 8


def test_a_state_that_is_not_read_back_as_it_was_saved_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def changed(path: Path) -> Iterator[dict[str, object]]:
        with open_state(path) as state:
            yield state | {"steps": 7}

    monkeypatch.setattr("trainables.training.engine.open_state", changed)
    with pytest.raises(RuntimeError, match="changed when it was read back"):
        run(rehearsal_of(make_task(tmp_path / "real"), tmp_path / "scratch"))


def test_a_rehearsal_that_is_stopped_leaves_a_process_that_trains_to_the_same_bytes(tmp_path: Path) -> None:
    alone = make_task(tmp_path / "alone")
    run(alone)
    task = make_task(tmp_path / "after")
    stopped = rehearse(rehearsal_of(task, tmp_path / "scratch"), Context())
    while not isinstance(event := next(stopped), NodeDone) or event.node != "stage-0":
        pass
    stopped.close()  # type: ignore[attr-defined]
    run(task)
    assert _weights(task) == _weights(alone)


def test_a_rehearsal_after_one_that_was_lost_takes_nothing_of_it_for_its_own(tmp_path: Path) -> None:
    task = make_task(tmp_path / "real")
    lost = rehearse(rehearsal_of(task, tmp_path / "scratch"), Context())
    for _ in range(5):  # two features, then two steps and the checkpoint between them
        next(lost)
    lost.close()  # type: ignore[attr-defined]
    smaller = task.model_copy(update={"stages": tuple(_with_micro_batch(order, 2) for order in task.stages)})
    run(rehearsal_of(smaller, tmp_path / "scratch"))
    assert shown_by(tmp_path / "scratch").stages[0].micro_batch == 2


def _with_micro_batch(order: StageTask, micro_batch: int) -> StageTask:
    return order.model_copy(update={"resources": order.resources.model_copy(update={"micro_batch": micro_batch})})


def test_two_workers_with_zero_2_rehearse_and_then_train_to_the_same_weights(tmp_path: Path) -> None:
    alone, after = (
        make_task(tmp_path / name, stages=TWO_STAGES, workers=2, zero=2, micro_batch=2) for name in ("alone", "after")
    )
    run_on_two([alone, rehearsal_of(after, tmp_path / "scratch"), after])
    assert _weights(after) == _weights(alone) != {}
    record = shown_by(tmp_path / "scratch")
    assert (record.workers, record.stages[0].micro_batch) == (2, 2)


def test_every_benchmark_under_every_protocol_answers_few_questions(tmp_path: Path) -> None:
    generate(SMALL, tmp_path / "real")
    mix = MixSpec(name="mini", parts=(MixPart(source=TRAIN),))
    task = mini_task(tmp_path / "real", stages=(stage(data=mix, max_steps=4),))
    run(rehearsal_of(task, tmp_path / "scratch"))
    counted = shown_by(tmp_path / "scratch").questions
    assert counted.keys() == {benchmark.id for benchmark in ALL}
    assert all(1 <= count <= QUESTIONS for count in counted.values())
