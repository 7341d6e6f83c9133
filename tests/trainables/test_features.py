"""Features are computed once: a production that was killed goes on from its last batch, to the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.outcomes import UnitDone
from tests.support.tiny_specs import source
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
    encoded: list[int] = []
    encode = features.encode_images

    def counted(encoder: object, pictures: object, vision: object, rows: range, device: object) -> object:
        encoded.append(rows.start)
        return encode(encoder, pictures, vision, rows, device)  # type: ignore[arg-type]

    monkeypatch.setattr(features, "encode_images", counted)
    run(task)
    assert encoded.count(0) == 1  # of the second source: those of the first were kept
    assert _features(tmp_path / "cut") == _features(tmp_path / "whole")
    assert not list((tmp_path / "cut/features").rglob("*.aside"))
