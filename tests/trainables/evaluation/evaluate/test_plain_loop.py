"""Claims about scores on the miniature: what batches, shared images, caches and workers make of a benchmark is what a
loop over its examples makes of it, one at a time, that reads everything again for every token and every option."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from search_spaces.outcomes import UnitDone
from search_spaces.spec import BenchmarkSpec
from tests.support.gloo_pair import run_on_two
from tests.support.miniature_trial import ALL, SMALL, mini_task
from tests.support.tiny_trials import run
from trainables.benchmarks.contract import Example, Protocol
from trainables.benchmarks.files.reference_files import find_files
from trainables.benchmarks.registry import BENCHMARKS
from trainables.evaluation import question_batches
from trainables.evaluation.evaluate import load_whole
from trainables.evaluation.results import read_results
from trainables.export.folder import finished_stages
from trainables.model.images import pixels
from trainables.model.tokenizer import Tokenizer
from trainables.run_trial import run_trial
from trainables.storage.records import EvaluationResult
from trainables.storage.store import LocalStore
from trainables.task import Context, TrialTask
from trainables.trial_data import TrialData

Ids = list[int]
FEW = 4
"""Questions of a batch: every benchmark has several."""


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> TrialTask:
    """Train and score a trial, with batches small enough that every benchmark has several."""
    task = mini_task(tmp_path_factory.mktemp("miniature"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(question_batches, "MOST_QUESTIONS", FEW)
        run(task)
    return task


def _few_questions_at_once() -> None:
    question_batches.MOST_QUESTIONS = FEW


def _results(task: TrialTask) -> dict[str, EvaluationResult]:
    store = LocalStore(Path(task.storage))
    return read_results(task, finished_stages(task, store), store)


def _rows(task: TrialTask, name: str) -> pa.Table:
    return pq.read_table(Path(task.storage) / _results(task)[name].examples)


class _PlainLoop:
    """Loop over examples: no batch, no cache, the whole sequence read again for every token and every option."""

    def __init__(self, task: TrialTask):
        store = LocalStore(Path(task.storage))
        data = TrialData(task, store)
        self._task, self._tokenizer = task, data.tokenizer
        self._model: Any = load_whole(task, finished_stages(task, store), data, store)
        self._embed = self._model.language.get_input_embeddings()

    def answer(self, protocol: Protocol, example: Example, image_BCHW: torch.Tensor | None) -> str:
        language, tokenizer = self._task.trial.language, self._tokenizer
        prompt = tokenizer.encode_question(language.prompt, protocol.prompt(example), language.max_length)
        before_TD = self._embed(torch.tensor([tokenizer.bos]))
        if image_BCHW is not None:
            before_TD = torch.cat([before_TD, self._model.projector(self._model.vision(image_BCHW))[0]])
        options = protocol.options(example)
        if not options:
            return tokenizer.decode(self._greedy(before_TD, prompt, protocol.max_new_tokens, tokenizer))
        texts = [tokenizer.encode_answer(language.prompt, option) for option in options]
        if len({text[0] for text in texts}) == len(texts):
            texts = [text[:1] for text in texts]
        scores = [self._log_prob(before_TD, prompt, text) for text in texts]
        return options[scores.index(max(scores))]

    def _greedy(self, before_TD: torch.Tensor, prompt: Ids, most: int, tokenizer: Tokenizer) -> Ids:
        tokens: Ids = []
        while len(tokens) < most:
            token = int(self._logits(before_TD, prompt + tokens)[-1].argmax())
            if token == tokenizer.end:
                break
            tokens.append(token)
        return tokens

    def _log_prob(self, before_TD: torch.Tensor, prompt: Ids, option: Ids) -> float:
        log_probs = self._logits(before_TD, prompt + option).log_softmax(-1)[-len(option) - 1 : -1]
        return sum(float(row[token]) for row, token in zip(log_probs, option, strict=True))

    def _logits(self, before_TD: torch.Tensor, ids: Ids) -> torch.Tensor:
        read_BTD = torch.cat([before_TD, self._embed(torch.tensor(ids))])[None]
        logits: torch.Tensor = self._model.language(inputs_embeds=read_BTD, use_cache=False).logits[0]
        return logits


@pytest.fixture(scope="module")
def plain_loop(trial: TrialTask) -> _PlainLoop:
    return _PlainLoop(trial)


def _examples(name: str, data: Path) -> Sequence[Example]:
    """Read examples from the official files, past everything that is prepared and stored."""
    known = BENCHMARKS[name]
    return known.examples(find_files(name, known.files, [data / SMALL.folder / "benchmarks" / name]))


def _image(task: TrialTask, name: str, example: Example) -> torch.Tensor | None:
    if example.image is None:
        return None
    path = Path(task.data) / SMALL.folder / "benchmarks" / name / "images" / example.image
    return torch.from_numpy(pixels(Image.open(path).convert("RGB"), task.trial.vision))[None]


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.id)
@torch.inference_mode()
def test_every_example_of_the_miniature_is_answered_and_scored_as_one_by_one(
    trial: TrialTask, plain_loop: _PlainLoop, spec: BenchmarkSpec
) -> None:
    name = str(spec.source.options["benchmark"])
    protocol = BENCHMARKS[name].protocol(spec.protocol)
    examples = [example for example in _examples(name, Path(trial.data)) if protocol.counts(example)]
    expected = []
    for example in examples:
        prediction = plain_loop.answer(protocol, example, _image(trial, name, example))
        parsed = protocol.parse(prediction, example)
        expected.append((example.id, prediction, parsed.value is None, protocol.score(parsed, example)))
    rows = _rows(trial, spec.id).to_pylist()
    assert [(row["id"], row["prediction"], row["parsed"] is None, row["score"]) for row in rows] == expected


def test_the_model_under_test_says_different_things(trial: TrialTask) -> None:
    """Require different answers: else the equality above would show little."""
    predictions = {spec.id: set(_rows(trial, spec.id)["prediction"].to_pylist()) for spec in ALL}
    assert sum(len(answers) > 1 for answers in predictions.values()) > 0.75 * len(ALL), predictions


def _unscored(trial: TrialTask, storage: Path) -> TrialTask:
    """Copy the trained trial to another storage, without any answer."""
    shutil.copytree(trial.storage, storage, ignore=shutil.ignore_patterns("evaluations", "studies", "miniature"))
    return trial.model_copy(update={"storage": str(storage)})


def _scores(task: TrialTask) -> dict[str, bytes]:
    """Read every per-example file, whole."""
    return {name: (Path(task.storage) / result.examples).read_bytes() for name, result in _results(task).items()}


def test_two_workers_leave_the_same_examples_as_one(trial: TrialTask, tmp_path: Path) -> None:
    shared = _unscored(trial, tmp_path / "two")
    run_on_two([shared], before=_few_questions_at_once)
    assert _scores(shared) == _scores(trial)


def test_scoring_that_was_stopped_in_every_benchmark_leaves_the_same_examples(
    trial: TrialTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(question_batches, "MOST_QUESTIONS", FEW)
    task = _unscored(trial, tmp_path / "stopped")
    stops = 0
    while not all(spec.id in _results(task) for spec in ALL):
        loop = run_trial(task, Context())
        for event in loop:
            if isinstance(event, UnitDone) and event.label.startswith("evaluate") and event.step < event.steps:
                stops += 1
                break
        loop.close()  # type: ignore[attr-defined]
    assert stops > len(ALL)
    assert _scores(task) == _scores(trial)
