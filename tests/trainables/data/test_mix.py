"""A mix draws exact counts, the same for every seed unless it says otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from search_spaces.errors import InputError
from search_spaces.identity import source_name
from search_spaces.spec import MixPart, MixSpec, SourceSpec
from tests.support.tiny_specs import source
from trainables.data.mix import Mix, realise
from trainables.data.prepare import prepare_source
from trainables.data.prepared import PreparedSource
from trainables.storage.store import LocalStore


def _realise(folder: Path, *parts: MixPart, seed: int = 7, **mix: object) -> Mix:
    store = LocalStore(folder)
    prepared = {source_name(p.source): PreparedSource(store, prepare_source(p.source, store, folder)[0]) for p in parts}
    return realise(MixSpec(name="m", parts=parts, **mix), prepared, seed)  # type: ignore[arg-type]


def _rows(mix: Mix) -> list[tuple[int, int]]:
    return list(zip(mix.source.tolist(), mix.row.tolist(), strict=True))


def _second_source(**options: object) -> SourceSpec:
    return SourceSpec(name="other", version="1", reader="generated", options={"records": 10, "seed": 9, **options})


def test_counts_fractions_and_repeats_are_exact(tmp_path: Path) -> None:
    mix = _realise(
        tmp_path, MixPart(source=source(), fraction=0.5), MixPart(source=_second_source(), count=4, repeat=3)
    )
    assert list(mix.counts.values()) == [20, 12]
    assert len(mix) == 32
    assert len(set(_rows(mix))) == 24


def test_a_draw_is_the_same_for_every_seed_unless_the_mix_says_otherwise(tmp_path: Path) -> None:
    part = MixPart(source=source(), count=10)
    assert _rows(_realise(tmp_path, part, seed=7)) == _rows(_realise(tmp_path, part, seed=8))
    per_seed = [_rows(_realise(tmp_path, part, seed=seed, resample="per-seed")) for seed in (7, 8, 7)]
    assert per_seed[0] == per_seed[2] != per_seed[1]


def test_dropped_tags_leave_no_record(tmp_path: Path) -> None:
    mix = _realise(tmp_path, MixPart(source=source(), drop=("negated", "color")))
    kept = {tag: set(mix.sources[0].rows_with(tag)) for tag in ("color", "shape", "yes-no", "negated")}
    assert set(mix.row.tolist()) == kept["shape"] | kept["yes-no"]
    assert not set(mix.row.tolist()) & (kept["color"] | kept["negated"])


def test_asking_for_more_than_there_is_names_what_is_left(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at most the 40 records"):
        _realise(tmp_path, MixPart(source=source(), count=41))


def test_a_mix_with_nothing_left_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one record"):
        _realise(tmp_path, MixPart(source=source(), drop=("color", "shape", "yes-no", "negated")))


def test_a_mix_tells_how_many_records_of_a_source_are_left_out_as_their_images_are_lost(tmp_path: Path) -> None:
    talk = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
    rows = [{"id": "0", "image": "gone.png", "conversations": talk}, {"id": "1", "conversations": talk}]
    (tmp_path / "chat.json").write_text(json.dumps(rows))
    lossy = SourceSpec(name="s", version="1", reader="llava", path="chat.json", without=("missing",))
    mix = _realise(tmp_path, MixPart(source=lossy, drop=("missing",)), MixPart(source=_second_source()))
    assert mix.left_out == {source_name(lossy): 1}
    assert mix.counts[source_name(lossy)] == 1
