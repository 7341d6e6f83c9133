"""Initialisation, order of the data and drawn records follow each its own seed, where a study seeds them apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from search_spaces.spec import MixPart, MixSpec, SeedSplit
from tests.support.tiny_specs import source, stage, vision
from tests.support.tiny_trials import losses, make_task, run
from trainables.features import encode_blank
from trainables.model.vision import build_vision
from trainables.model.vlm import build_modules
from trainables.task import Context, TrialTask
from trainables.trial_data import StageData, TrialData

RESAMPLED = MixSpec(name="half", parts=(MixPart(source=source(), fraction=0.5),), resample="per-seed")


def _task(folder: Path, order: int, init: int, data: int) -> TrialTask:
    plain = make_task(folder, stages=(stage(data=RESAMPLED),), cached=False, benchmarks=())
    split = SeedSplit(order=order, init=init, data=data)
    return plain.model_copy(update={"trial": replace(plain.trial, seed=1, split=split)})


def _start(task: TrialTask) -> torch.Tensor:
    tokenizer = TrialData(task, Context().store(task)).tokenizer
    state = build_modules(task.trial, tokenizer, Path(task.data), with_vision=True).state_dict()
    return torch.cat([value.flatten() for value in state.values() if value.is_floating_point()])


def _rows(task: TrialTask) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Return which records the stage has, and which positions of them its first epoch shows in which order."""
    data = StageData(TrialData(task, Context().store(task)), task, task.trial.stages[0], use_features=False)
    return data.mix.row, np.concatenate([data.plan.batch(step) for step in range(3)])


def test_each_source_of_chance_follows_its_own_seed_alone(tmp_path: Path) -> None:
    base, ordered, initialised, drawn = (
        _task(tmp_path, *seeds) for seeds in ((7, 7, 7), (8, 7, 7), (7, 8, 7), (7, 7, 8))
    )
    (records, order), start = _rows(base), _start(base)
    assert torch.equal(_start(ordered), start)
    assert np.array_equal(_rows(ordered)[0], records)
    assert not np.array_equal(_rows(ordered)[1], order)
    assert not torch.equal(_start(initialised), start)
    assert np.array_equal(_rows(initialised)[0], records)
    assert np.array_equal(_rows(initialised)[1], order)
    assert torch.equal(_start(drawn), start)
    assert not np.array_equal(_rows(drawn)[0], records)


def test_a_blank_image_is_encoded_by_the_encoder_of_the_initialisation(tmp_path: Path) -> None:
    task, vit = _task(tmp_path, 7, 8, 7), {"arch": "test_vit", "family": "vit", "patch": 16, "width": 64, "tokens": 16}
    encoder = vision(**vit, options={"img_size": 64})  # whose positions are drawn: features of zeros are not zeros
    task = task.model_copy(update={"trial": replace(task.trial, vision=encoder)})
    own, other = (encode_blank(build_vision(encoder, seed, Path(task.data))) for seed in (8, task.trial.seed))
    blank = TrialData(task, Context().store(task)).blank_features(None, "cpu")
    assert np.array_equal(blank, own)
    assert not np.array_equal(blank, other)


def test_a_trial_with_its_seeds_apart_trains_as_the_plain_one_where_they_are_equal(tmp_path: Path) -> None:
    plain = make_task(tmp_path / "plain", seed=7, stages=(stage(data=RESAMPLED),), cached=False, benchmarks=())
    equal = run(_task(tmp_path / "equal", 7, 7, 7))
    assert losses(run(plain)) == losses(equal)
    assert losses(run(_task(tmp_path / "other", 8, 7, 7))) != losses(equal)
