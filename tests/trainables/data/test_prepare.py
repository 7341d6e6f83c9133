from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from search_spaces.errors import InputError
from search_spaces.spec import SourceSpec
from trainables.data.prepare import prepare_source
from trainables.data.prepared import PreparedSource
from trainables.store import LocalStore


def _llava(folder: Path, images: list[str | None]) -> SourceSpec:
    talk = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
    rows = [{"id": str(i), "conversations": talk} | ({"image": name} if name else {}) for i, name in enumerate(images)]
    (folder / "chat.json").write_text(json.dumps(rows))
    return SourceSpec(name="s", version="1", reader="llava", path="chat.json")


def _picture(folder: Path, name: str, colour: int = 0) -> None:
    Image.new("RGB", (4, 4), (colour, 0, 0)).save(folder / name)


def test_a_prepared_source_gives_back_records_and_pictures(tmp_path: Path) -> None:
    _picture(tmp_path, "a.png", 10)
    _picture(tmp_path, "b.png", 20)
    source = _llava(tmp_path, ["b.png", None, "a.png", "b.png"])
    digest, counts = prepare_source(source, LocalStore(tmp_path / "store"), tmp_path)
    prepared = PreparedSource(LocalStore(tmp_path / "store"), digest)
    assert counts == {"records": 4, "text_only": 1, "images": 2, "tags": {}}
    assert prepared.image_rows.tolist() == [0, -1, 1, 0]
    assert prepared.picture(1).getpixel((0, 0)) == (10, 0, 0)
    assert (prepared.turns(2), prepared.image_key(0)) == ((("q", "a"),), "b.png")


def test_the_digest_follows_content_and_not_time_or_place(tmp_path: Path) -> None:
    digests = []
    for place, colour in (("one", 10), ("two", 10), ("three", 11)):
        folder = tmp_path / place
        folder.mkdir()
        _picture(folder, "a.png", colour)
        digests.append(prepare_source(_llava(folder, ["a.png"]), LocalStore(tmp_path / "store"), folder)[0])
    assert digests[0] == digests[1] != digests[2]


def test_every_missing_and_broken_image_is_named_and_nothing_is_kept(tmp_path: Path) -> None:
    _picture(tmp_path, "a.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG not really")
    source = _llava(tmp_path, ["a.png", "gone.png", "broken.png"])
    with pytest.raises(InputError) as caught:
        prepare_source(source, LocalStore(tmp_path / "store"), tmp_path)
    assert "2 of 3" in str(caught.value)
    assert "'gone.png' is missing" in str(caught.value)
    assert "'broken.png' is broken" in str(caught.value)
    assert not (tmp_path / "store" / "data").exists()


def test_a_source_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one record"):
        prepare_source(_llava(tmp_path, []), LocalStore(tmp_path / "store"), tmp_path)
