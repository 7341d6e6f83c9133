"""Features are computed once: a production that was killed goes on from its last batch, to the same bytes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from search_spaces.outcomes import UnitDone
from tests.support.tiny_specs import source, stage
from tests.support.tiny_trials import make_task, run
from trainables import features
from trainables.run_trial import run_trial
from trainables.storage.store import LocalStore
from trainables.task import Context


def _features(root: Path) -> dict[str, bytes]:
    names = [name for name in LocalStore(root).list("features") if not name.endswith("result.json")]
    return {name: (root / name).read_bytes() for name in names}


def test_a_killed_production_goes_on_from_its_last_batch_and_leaves_nothing_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "IMAGES_AT_ONCE", 3)
    assert source("test").options["records"] >= 10
    run(make_task(tmp_path / "whole"))
    task = make_task(tmp_path / "cut")
    for killed_after in (1, 2):  # twice, each one further
        loop = run_trial(task, Context())
        steps = [next(loop) for _ in range(killed_after)]
        loop.close()  # type: ignore[attr-defined]
        assert all(isinstance(step, UnitDone) and step.label == "features" for step in steps)
    begun: list[int] = []
    load = features.load_images

    def noted(pictures: object, vision: object, batches: list[range], threads: int) -> object:
        begun.extend(batch.start for batch in batches)
        return load(pictures, vision, batches, threads)  # type: ignore[arg-type]

    monkeypatch.setattr(features, "load_images", noted)
    run(task)
    assert begun.count(0) == 1  # of the second source: those of the first were kept
    assert _features(tmp_path / "cut") == _features(tmp_path / "whole")
    assert not list((tmp_path / "cut/features").rglob("*.aside"))


def test_images_loaded_ahead_give_the_same_features_and_the_same_scores(tmp_path: Path) -> None:
    for cached in (True, False):
        folders = [tmp_path / f"{cached}-{cpus}" for cpus in (1, 3)]
        for folder, cpus in zip(folders, (1, 3), strict=True):
            run(make_task(folder, cached=cached, cpus_per_worker=cpus))
        assert _features(folders[0]) == _features(folders[1])
        assert _examples(folders[0]) == _examples(folders[1]) != []


def test_images_are_decoded_by_threads_ahead_of_the_one_that_encodes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For caches of features, and for the questions of an evaluation."""
    threads, convert = set[str](), features.pixels

    def pixels(picture: Any, vision: Any) -> Any:
        threads.add(threading.current_thread().name.partition("_")[0])
        return convert(picture, vision)

    monkeypatch.setattr(features, "pixels", pixels)
    for cached in (True, False):
        run(make_task(tmp_path / str(cached), stages=(stage(max_steps=1),), cached=cached, cpus_per_worker=3))
        assert threads == {"data"}
        threads.clear()


def _examples(root: Path) -> list[bytes]:
    """Read the files of scores per example."""
    return [file.read_bytes() for file in sorted(root.rglob("*.parquet"))]
