"""Preflight reads a source once, and again only where it has changed; declared counts are checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from orchestrator.planning.preflight import known_digests, preflight
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from search_spaces.spec import BenchmarkSpec, SourceSpec
from trainables.storage.store import LocalStore

TALK = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]


def _source(folder: Path, **fields: Any) -> SourceSpec:
    Image.new("RGB", (4, 4)).save(folder / "a.png")
    rows = [{"id": "a", "image": "a.png", "conversations": TALK}, {"id": "b", "conversations": TALK}]
    (folder / "chat.json").write_text(json.dumps(rows))
    return SourceSpec(name="mine", version="1", reader="llava", path="chat.json", **fields)


def _preflight(source: SourceSpec, folder: Path) -> list[str]:
    """What is said on the way."""
    plan = Plan("s", "q", "d", (), (), {}, (BenchmarkSpec(id="b", source=source),), (), None)
    said: list[str] = []
    preflight(
        [trial.spec for trial in plan.trials], plan.evaluation_sets, LocalStore(folder / "store"), folder, said.append
    )
    return said


def test_a_source_is_read_once_and_again_only_when_it_has_changed(tmp_path: Path) -> None:
    source = _source(tmp_path)
    assert _preflight(source, tmp_path) == ["reading mine@1"]
    before = known_digests(LocalStore(tmp_path / "store"))
    assert _preflight(source, tmp_path) == []
    Image.new("RGB", (4, 4), (9, 9, 9)).save(tmp_path / "a.png")
    assert _preflight(source, tmp_path) == ["reading mine@1"]
    assert known_digests(LocalStore(tmp_path / "store")).digests != before.digests


def test_other_counts_than_the_declared_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has 2 records where 3 are declared"):
        _preflight(_source(tmp_path, records=3, text_only_records=1), tmp_path)


def test_counts_declared_as_approximate_give_way_to_the_real_ones_every_time_with_a_word(tmp_path: Path) -> None:
    source = _source(tmp_path, records=3, text_only_records=1, approximate=True)
    said = "mine: has 2 records where about 3 are declared; steps follow what is there"
    assert _preflight(source, tmp_path) == ["reading mine@1", said]
    assert _preflight(source, tmp_path) == [said]
    assert next(iter(known_digests(LocalStore(tmp_path / "store")).counts.values()))["records"] == 2
