"""A stage, an evaluation and a trial begin at the memory of an empty process, whatever ended before them.

The tests never collect garbage themselves, and keep Python from doing it by chance.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from search_spaces.spec import Precision
from tests.support.tiny_specs import SGD, stage
from tests.support.tiny_trials import make_task, run
from trainables import run_trial as trial_loop
from trainables.evaluation import evaluate as evaluation
from trainables.training import stage_engine
from trainables.training.engine import Engine


class Leftovers:
    """What is alive of earlier models whenever a new one is built."""

    def __init__(self) -> None:
        self._tensors: list[weakref.ref[Tensor]] = []
        self.alive: list[int] = []
        """At each time that a model was built, from the first."""

    def remember(self, tensors: Iterator[Tensor]) -> None:
        """Watch tensors without keeping them."""
        self._tensors += [weakref.ref(tensor) for tensor in tensors]

    def count(self) -> None:
        """Count the watched tensors that are alive."""
        self.alive.append(sum(reference() is not None for reference in self._tensors))


def _states(optimizer: torch.optim.Optimizer) -> Iterator[Tensor]:
    for group in optimizer.param_groups:
        yield from group["params"]
    for state in optimizer.state.values():
        yield from (value for value in state.values() if isinstance(value, Tensor))


@pytest.fixture
def leftovers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Leftovers]:
    """Weights, masters and optimizer states of all stages, and the models of all evaluations."""
    seen = Leftovers()
    open_engine, load_trained = stage_engine.open_engine, evaluation.load_trained

    @contextmanager
    def watched(model: Any, *arguments: Any) -> Iterator[Engine]:
        with open_engine(model, *arguments) as engine:
            try:
                yield engine
            finally:
                seen.remember(iter(list(model.parameters())))
                seen.remember(_states(engine._engine.basic_optimizer))

    def loaded(*arguments: Any) -> Any:
        model = load_trained(*arguments)
        seen.remember(iter(list(model.parameters())))
        return model

    def counted(build: Callable[..., Any]) -> Callable[..., Any]:
        def build_and_count(*arguments: Any, **options: Any) -> Any:
            seen.count()
            return build(*arguments, **options)

        return build_and_count

    monkeypatch.setattr(stage_engine, "open_engine", watched)
    monkeypatch.setattr(evaluation, "load_trained", loaded)
    for module in (stage_engine, evaluation):
        monkeypatch.setattr(module, "build_modules", counted(module.build_modules))
    monkeypatch.setattr(trial_loop, "build_vision", counted(trial_loop.build_vision))
    gc.disable()
    yield seen
    gc.enable()


@pytest.mark.parametrize("zero", [0, 2, 3])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_no_weight_master_or_state_outlives_its_stage_evaluation_or_trial(
    zero: int, precision: Precision, tmp_path: Path, leftovers: Leftovers
) -> None:
    stages = tuple(
        stage(name, trains=trains, precision=precision, max_steps=2, activation_checkpointing=name == "finetune")
        for name, trains in (("align", ("projector",)), ("finetune", ("projector", "language")))
    )
    for trial in ("first", "second"):
        run(make_task(tmp_path / trial, stages=stages, cached=False, zero=zero))
    assert leftovers.alive == [0] * 6


def test_features_are_computed_at_the_memory_of_an_empty_process_whatever_trial_was_before(
    tmp_path: Path, leftovers: Leftovers
) -> None:
    for name in ("first", "second"):
        run(make_task(tmp_path / name))
    assert leftovers.alive == [0] * 8, "an encoder for each of two sources, a stage and an evaluation, twice"


def test_nothing_outlives_a_stage_whose_checkpoints_are_copied_in_the_background(
    tmp_path: Path, leftovers: Leftovers
) -> None:
    for trial in ("first", "second"):
        run(make_task(tmp_path / trial, cached=False, zero=2, checkpoint_every_steps=1, checkpoint_copy="background"))
    assert leftovers.alive == [0] * 4


def test_nothing_outlives_a_stage_that_fails_or_diverges(
    tmp_path: Path, leftovers: Leftovers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(engine: Engine, *arguments: Any) -> float:
        raise RuntimeError("no more")

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "step", failing)
        with pytest.raises(RuntimeError, match="no more"):
            run(make_task(tmp_path / "failed", cached=False))
    high = SGD.model_copy(update={"lr": 1e30, "clip": None})
    run(make_task(tmp_path / "diverged", stages=(stage(optimizer=high),), cached=False))
    run(make_task(tmp_path / "last", cached=False))
    assert leftovers.alive == [0] * 4
