"""Images there, missing or broken, under every `drop`: check, stats, conversion and run agree on the records."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from search_spaces.errors import InputError
from search_spaces.spec import LostImage, SourceSpec
from tests.support.broken_inputs import tries
from trainables.data import convert
from trainables.data.convert import convert_source
from trainables.data.pace import Pace
from trainables.data.prepare import prepare_source
from trainables.data.readers import open_reader
from trainables.data.survey import profile, survey
from trainables.storage.records import Counts
from trainables.storage.store import LocalStore

QUIET = Pace("s", lambda _: None)
TALK = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
STATES = {"whole": None, "missing": "missing", "cut off": "broken", "empty": "broken", "folder": "broken"}
"""What becomes of an image file -> how it is lost."""


@dataclass(frozen=True)
class Case:
    states: tuple[str, ...]
    """Of each image."""
    images: tuple[int | None, ...]
    """Of each record; None for text."""
    without: tuple[LostImage, ...]

    def lost(self, image: int | None) -> str | None:
        return None if image is None else STATES[self.states[image]]

    @property
    def kept(self) -> list[int | None]:
        return [image for image in self.images if self.lost(image) not in self.without]

    @property
    def left_out(self) -> dict[str, int]:
        lost = [self.lost(image) for image in self.images]
        return {kind: lost.count(kind) for kind in sorted(self.without) if kind in lost}

    @property
    def is_wrong(self) -> bool:
        """Whether a record is left whose image is lost, or none at all."""
        return not self.kept or any(self.lost(image) for image in self.kept)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    states = tuple(draw(st.lists(st.sampled_from([*STATES, "whole", "whole"]), min_size=1, max_size=5)))
    image = st.none() | st.integers(0, len(states) - 1)
    without = draw(st.sets(st.sampled_from(get_args(LostImage))))
    images = tuple(draw(st.lists(image, min_size=1, max_size=8)))
    return Case(states, images, tuple(kind for kind in get_args(LostImage) if kind in without))


def _write(case: Case, folder: Path) -> SourceSpec:
    for number, state in enumerate(case.states):
        file = folder / f"{number}.png"
        if state == "folder":
            file.mkdir()
        elif state != "missing":
            Image.new("RGB", (3, 2), (number, 0, 0)).save(file)
            file.write_bytes(file.read_bytes()[: {"cut off": 40, "empty": 0}.get(state)])
    rows: list[dict[str, Any]] = [
        {"id": str(i), "conversations": TALK} | ({} if image is None else {"image": f"{image}.png"})
        for i, image in enumerate(case.images)
    ]
    (folder / "chat.json").write_text(json.dumps(rows))
    return SourceSpec(name="s", version="1", reader="llava", path="chat.json", without=case.without)


def _prepared(source: SourceSpec, folder: Path, store: str) -> tuple[str, Counts] | None:
    """Prepare as a run does; None where it refuses the source."""
    try:
        return prepare_source(source, LocalStore(folder / store), folder)
    except InputError:
        return None


@tries("lost images", few=40)
@given(cases())
def test_check_stats_and_conversion_agree_with_the_run_on_what_is_left(case: Case) -> None:
    with tempfile.TemporaryDirectory() as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert, "_RECORDS_PER_SHARD", 3)
        folder = Path(made)
        source = _write(case, folder)
        ran = _prepared(source, folder, "run")
        assert (ran is None) == case.is_wrong
        checked = survey(source, open_reader(source, folder), 0, QUIET)
        assert bool(checked.problems or not checked.counted) == case.is_wrong
        described = profile(source, open_reader(source, folder), 0, QUIET).counts
        assert (described.records, described.left_out) == (len(case.kept), case.left_out)
        if ran is None:
            with pytest.raises(InputError):
                convert_source(source, folder, folder / "out", LocalStore(folder / "run"), 0, QUIET)
            return
        assert (ran[1].records, ran[1].left_out) == (len(case.kept), case.left_out)
        assert (checked.digest(), checked.counts(), described) == (*ran, ran[1])
        done = convert_source(source, folder, folder / "out", LocalStore(folder / "run"), 0, QUIET)
        assert (done.digest, done.counts) == ran
        moved = source.model_copy(update={"reader": "parquet", "path": "out"})
        assert _prepared(moved, folder, "moved") == ran
