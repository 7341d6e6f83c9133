"""Loading ahead changes neither bits nor order, and leaves no thread."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from search_spaces.outcomes import UnitDone
from search_spaces.resource_spec import ResourceSpec
from search_spaces.spec import MixPart, MixSpec, PackingSpec, SourceSpec
from tests.support.tiny_specs import SGD, source, stage
from tests.support.tiny_trials import losses, make_task, run
from trainables.model.tokenizer import Tokenizer
from trainables.run_trial import run_trial
from trainables.storage import layout
from trainables.storage.spool import read_spool
from trainables.storage.store import LocalStore
from trainables.task import Context
from trainables.training.stage import loader_threads
from trainables.trial_data import StageData, TrialData

MIXED = MixSpec(name="mixed", parts=(MixPart(source=source(tags="color,text-only,shape")),))


def _stage_data(folder: Path, packing: PackingSpec | None = None) -> StageData:
    task = make_task(folder, stages=(stage(data=MIXED, packing=packing),), cached=False)
    return StageData(TrialData(task, Context().store(task)), task, task.trial.stages[0], use_features=False)


@pytest.mark.parametrize(("rank", "world", "micro"), [(0, 1, 8), (0, 1, 2), (1, 2, 2)])
def test_loading_ahead_changes_neither_bits_nor_order(tmp_path: Path, rank: int, world: int, micro: int) -> None:
    data = _stage_data(tmp_path)
    for step, ahead in zip(range(9, 14), data.steps(range(9, 14), rank, world, micro, threads=3), strict=True):
        plain = data.step(step, rank, world, micro)
        assert (ahead.targets, ahead.records) == (plain.targets, plain.records)
        pairs = list(zip(ahead.batches, plain.batches, strict=True))
        assert len(pairs) == 8 // (world * micro)
        for batch, expected in pairs:
            for name, part in vars(batch).items():
                assert (part is None) == (vars(expected)[name] is None)
                assert part is None or torch.equal(part, vars(expected)[name])


@pytest.mark.parametrize("row", [40, 400])
def test_rows_packed_ahead_are_those_packed_in_time(tmp_path: Path, row: int) -> None:
    data = _stage_data(tmp_path, PackingSpec(tokens=row))
    passes = set()
    for step, ahead in zip(range(9, 29), data.steps(range(9, 29), 0, 1, 8, threads=2), strict=True):
        plain = data.step(step, 0, 1, 8)
        assert (ahead.passes, ahead.targets, ahead.records) == (plain.passes, plain.targets, plain.records)
        passes.add(ahead.passes)
        for batch, expected in zip(ahead.batches, plain.batches, strict=True):
            for name, part in vars(batch).items():
                assert (part is None) == (vars(expected)[name] is None)
                assert part is None or torch.equal(part, vars(expected)[name])
    assert max(passes) == 1 if row == 400 else min(passes) > 1


def test_texts_of_packed_rows_are_tokenised_by_loading_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, threads, encode = _stage_data(tmp_path, PackingSpec(tokens=100)), set(), Tokenizer.encode_turns

    def encode_turns(*args: Any) -> Any:
        threads.add(threading.current_thread().name.partition("_")[0])
        return encode(*args)

    monkeypatch.setattr(Tokenizer, "encode_turns", encode_turns)
    for inputs in data.steps(range(20), 0, 1, 8, threads=2):
        assert len(list(inputs.batches)) == inputs.passes
    assert threads == {"data"}


def test_a_trial_that_loads_ahead_trains_as_one_that_does_not(tmp_path: Path) -> None:
    stages = (stage(data=MIXED, optimizer=SGD),)
    plain = make_task(tmp_path / "plain", stages=stages, cached=False, benchmarks=(), micro_batch=2)
    ahead = make_task(tmp_path / "ahead", stages=stages, cached=False, benchmarks=(), micro_batch=2, cpus_per_worker=3)
    assert losses(run(plain)) == losses(run(ahead))


def test_shares_of_the_sources_as_drawn_are_told_to_the_tracking_server(tmp_path: Path) -> None:
    second = SourceSpec(name="other", version="1", reader="generated", options={"records": 30, "seed": 2})
    mix = MixSpec(name="two", parts=(MixPart(source=source(), count=10), MixPart(source=second, count=5, repeat=6)))
    task = make_task(tmp_path, stages=(stage(data=mix, max_steps=1),), cached=False, benchmarks=())
    run(task)
    shares: dict[str, float] = {}
    for _, line in read_spool(LocalStore(tmp_path), layout.spool(task.study, task.id)):
        shares |= {name: value for name, value in line.get("metrics", {}).items() if name.startswith("data/")}
    assert shares == {"data/finetune/shapes": 0.25, "data/finetune/other": 0.75}
    counts = json.loads((tmp_path / layout.stage_result(task.stages[0].key)).read_text())["counts"]
    assert sorted(counts.values()) == [10, 30]


def test_a_trial_stopped_early_leaves_no_thread(tmp_path: Path) -> None:
    loop = run_trial(make_task(tmp_path, cached=False, micro_batch=2, cpus_per_worker=3), Context())
    while not isinstance(next(loop), UnitDone):
        pass
    assert _data_threads() > 0
    loop.close()  # type: ignore[attr-defined]
    assert _data_threads() == 0


@pytest.mark.parametrize(
    ("cpus", "is_gpu", "decodes", "threads"),
    [(1, False, True, 0), (4, False, True, 3), (4, False, False, 0), (1, True, True, 1), (8, True, True, 7)],
)
def test_threads_follow_the_cpus_of_a_worker(cpus: float, is_gpu: bool, decodes: bool, threads: int) -> None:
    assert loader_threads(ResourceSpec(cpus_per_worker=cpus), is_gpu, decodes) == threads


def _data_threads() -> int:
    return sum(thread.name.startswith("data") for thread in threading.enumerate())
