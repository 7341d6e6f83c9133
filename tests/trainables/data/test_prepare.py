"""Preparing a source checks every image once, and its digest follows content, not time or place."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from search_spaces.errors import InputError
from search_spaces.spec import PixelSpec, SourceSpec
from trainables.data.formats.llava_json import LlavaReader
from trainables.data.prepare import _watched, is_prepared, prepare_source, source_signature
from trainables.data.prepared import PreparedSource
from trainables.storage import layout
from trainables.storage.owner import Owner
from trainables.storage.record_files import read
from trainables.storage.records import Counts, PreparedManifest
from trainables.storage.store import LocalStore


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
    assert counts == Counts(records=4, text_only=1, images=2, tags={})
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
    assert "'broken.png' is a PNG that cannot be read" in str(caught.value)
    assert not (tmp_path / "store" / "data").exists()


def test_all_unusable_images_are_listed_in_a_file_and_twenty_are_shown(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    with pytest.raises(InputError, match="and 5 more"):
        prepare_source(_llava(tmp_path, [f"{i}.png" for i in range(25)]), store, tmp_path)
    listed = store.get("problems/s.txt").decode().splitlines()
    assert [line.split("'")[3] for line in listed] == [f"{i}.png" for i in range(25)]


def test_a_truncated_jpeg_is_broken(tmp_path: Path) -> None:
    Image.effect_noise((200, 200), 90).save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="is cut off"):
        prepare_source(_llava(tmp_path, ["a.jpg"]), LocalStore(tmp_path / "store"), tmp_path)


def _digest_of(folder: Path, picture: Image.Image, pixels: PixelSpec | None = None) -> str:
    folder.mkdir(exist_ok=True)
    picture.save(folder / "a.png")
    source = _llava(folder, ["a.png"])
    if pixels is not None:
        source = source.model_copy(update={"pixels": pixels})
    return prepare_source(source, LocalStore(folder / "store"), folder)[0]


def test_a_source_of_plain_images_has_the_digest_it_ever_had(tmp_path: Path) -> None:
    _picture(tmp_path, "a.png", 7)
    source = _llava(tmp_path, ["a.png"])
    digest, _ = prepare_source(source, LocalStore(tmp_path / "store"), tmp_path)
    record = repr(("0", "a.png", (("q", "a"),), ())).encode()
    image = hashlib.sha256((tmp_path / "a.png").read_bytes()).digest()
    assert digest == hashlib.sha256(record + image).hexdigest()
    other = source.model_copy(update={"pixels": PixelSpec(ground=(1, 2, 3), white=99, limit=5)})
    assert prepare_source(other, LocalStore(tmp_path / "store"), tmp_path)[0] == digest


def test_the_rules_of_pixels_are_in_the_digest_where_they_changed_some(tmp_path: Path) -> None:
    glass = Image.new("RGBA", (4, 4), (1, 2, 3, 128))
    white = _digest_of(tmp_path / "a", glass)
    assert _digest_of(tmp_path / "a", glass, PixelSpec(limit=5)) == white
    assert _digest_of(tmp_path / "a", glass, PixelSpec(ground=(0, 0, 0))) != white
    solid = Image.new("RGBA", (4, 4), (1, 2, 3, 255))
    assert _digest_of(tmp_path / "b", solid) == _digest_of(tmp_path / "b", solid, PixelSpec(ground=(0, 0, 0)))


def test_the_prepared_source_tells_what_is_done_to_its_images_and_does_it(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "a.png")
    source = _llava(tmp_path, ["a.png"]).model_copy(update={"pixels": PixelSpec(ground=(9, 8, 7))})
    store = LocalStore(tmp_path / "store")
    digest, _ = prepare_source(source, store, tmp_path)
    manifest = read(store, layout.data_result(digest), PreparedManifest)
    assert manifest is not None
    assert (manifest.treated, manifest.pixels.ground) == (
        {"composed on the ground": 1, "wholly transparent": 1},
        (9, 8, 7),
    )
    assert PreparedSource(store, digest).picture(0).getpixel((0, 0)) == (9, 8, 7)


def test_an_intact_image_that_needs_a_declaration_is_not_dropped_as_a_broken_one(tmp_path: Path) -> None:
    _picture(tmp_path, "a.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    Image.new("L", (1500, 1000)).save(tmp_path / "large.png")
    Image.fromarray(np.full((4, 4), 300.0, np.float32)).save(tmp_path / "floats.tif")
    source = _llava(tmp_path, ["a.png", "broken.png", "large.png", "floats.tif"])
    source = source.model_copy(update={"without": ("missing", "broken"), "pixels": PixelSpec(limit=1)})
    with pytest.raises(InputError) as caught:
        prepare_source(source, LocalStore(tmp_path / "store"), tmp_path)
    assert "the limit of its source is 1" in str(caught.value)
    assert "declare `pixels: {white: ...}`" in str(caught.value)
    assert "broken.png" not in str(caught.value)
    declared = source.model_copy(update={"pixels": PixelSpec(white=300)})
    assert prepare_source(declared, LocalStore(tmp_path / "store"), tmp_path)[1].left_out == {"broken": 1}


def test_sources_with_the_same_images_share_their_pictures_whatever_they_say_and_in_whatever_order(
    tmp_path: Path,
) -> None:
    store = LocalStore(tmp_path / "store")
    for name, colour in (("a.png", 10), ("b.png", 20), ("c.png", 30)):
        _picture(tmp_path, name, colour)
    shutil.copy(tmp_path / "a.png", tmp_path / "copy_of_a.png")
    first, _ = prepare_source(_llava(tmp_path, ["b.png", None, "c.png", "a.png"]), store, tmp_path)
    kept = [path.stat().st_mtime_ns for path in sorted(store.root.glob("pictures/*/*"))]
    second, _ = prepare_source(_llava(tmp_path, ["copy_of_a.png", "c.png", "b.png", "a.png"]), store, tmp_path)
    assert first != second
    assert [path.stat().st_mtime_ns for path in sorted(store.root.glob("pictures/*/*"))] == kept
    assert len(kept) == 2
    for digest, colours in ((first, [20, 30, 10]), (second, [10, 30, 20, 10])):
        prepared = PreparedSource(store, digest)
        assert [prepared.picture(row).getpixel((0, 0)) for row in range(len(colours))] == [(c, 0, 0) for c in colours]
        by_picture = {int(prepared.picture_rows[row]): colour for row, colour in enumerate(colours)}
        pixels = {row: prepared.pictures.picture(row).getpixel((0, 0)) for row in range(len(prepared.pictures))}
        assert pixels == {row: (colour, 0, 0) for row, colour in by_picture.items()}
    fewer, _ = prepare_source(_llava(tmp_path, ["a.png", "b.png"]), store, tmp_path)
    assert len(PreparedSource(store, fewer).pictures) == 2


def test_pictures_that_are_gone_or_damaged_are_read_anew(tmp_path: Path) -> None:
    _picture(tmp_path, "a.png", 10)
    store, source = LocalStore(tmp_path / "store"), _llava(tmp_path, ["a.png"])
    digest, _ = prepare_source(source, store, tmp_path)
    (folder,) = (store.root / "pictures").iterdir()
    for damage in (lambda: shutil.rmtree(folder), lambda: (folder / "bytes.arrow").write_bytes(b"ARROW1")):
        damage()
        assert not is_prepared(store, digest)
        assert prepare_source(source, store, tmp_path)[0] == digest
        assert PreparedSource(store, digest).picture(0).getpixel((0, 0)) == (10, 0, 0)


def test_every_image_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    read = LlavaReader.image
    monkeypatch.setattr(LlavaReader, "image", lambda self, key: names.append(key) or read(self, key))
    for name in ("a.png", "b.png"):
        _picture(tmp_path, name)
    prepare_source(_llava(tmp_path, ["b.png", "a.png", "b.png"]), LocalStore(tmp_path / "store"), tmp_path)
    assert sorted(names) == ["a.png", "b.png"]


def test_a_killed_preparation_leaves_nothing_that_stays(tmp_path: Path) -> None:
    _picture(tmp_path, "a.png")
    store, source = LocalStore(tmp_path / "store"), _llava(tmp_path, ["a.png"])
    left = store.root / "preparing/killed"
    (left / "data").mkdir(parents=True)
    gone = {**vars(Owner.here()), "started": 0.0}
    (left / "owner.json").write_text(json.dumps(gone))
    prepare_source(source, store, tmp_path)
    assert list((store.root / "preparing").iterdir()) == []


def test_a_signature_changes_with_the_records_an_image_or_a_new_place_and_not_by_looking(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    (tmp_path / "images").mkdir()
    for number in range(3):
        _picture(tmp_path / "images", f"{number}.png")
    source = _llava(tmp_path, [f"images/{number}.png" for number in range(3)])
    digest, _ = prepare_source(source, store, tmp_path)
    seen = [source_signature(source, store, tmp_path, digest)]
    assert source_signature(source, store, tmp_path, digest) == seen[0]
    _picture(tmp_path / "images", "1.png", 99)
    seen.append(source_signature(source, store, tmp_path, digest))
    (tmp_path / "chat.json").write_text((tmp_path / "chat.json").read_text() + " ")
    seen.append(source_signature(source, store, tmp_path, digest))
    seen.append(source_signature(source.model_copy(update={"image_folder": "images"}), store, tmp_path, digest))
    assert all(name not in seen[:number] for number, name in enumerate(seen))


@given(st.integers(1, 5000))
def test_what_is_watched_of_a_large_source_is_bounded_and_holds_an_image_of_every_folder(images: int) -> None:
    keys = [f"{number % 7}/{number}" for number in range(images)]
    watched = _watched(keys)
    assert len(watched) <= 1007
    assert {key.split("/")[0] for key in watched} == {key.split("/")[0] for key in keys}
    assert images > 1000 or sorted(watched) == sorted(keys)


def test_a_source_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one record"):
        prepare_source(_llava(tmp_path, []), LocalStore(tmp_path / "store"), tmp_path)


def test_records_whose_images_are_missing_are_left_out_counted_and_listed_where_the_source_says_so(
    tmp_path: Path,
) -> None:
    _picture(tmp_path, "a.png", 10)
    _picture(tmp_path, "b.png", 20)
    source = _llava(tmp_path, ["a.png", "gone.png", None, "b.png", "gone.png"])
    store = LocalStore(tmp_path / "store")
    with pytest.raises(InputError, match="1 of 3 are not"):
        prepare_source(source, store, tmp_path)
    digest, counts = prepare_source(source.model_copy(update={"without": ("missing",)}), store, tmp_path)
    assert (counts.records, counts.text_only, counts.images) == (3, 1, 2)
    assert (counts.left_out, counts.lost_images) == ({"missing": 2}, 1)
    prepared = PreparedSource(store, digest)
    assert ([prepared.id(row) for row in range(3)], prepared.left_out) == (["0", "2", "3"], 2)
    assert prepared.picture(int(prepared.image_rows[2])).getpixel((0, 0)) == (20, 0, 0)
    assert [line.split("'")[1] for line in store.get("problems/s.txt").decode().splitlines()] == ["1", "4"]


def test_without_lost_images_the_data_are_the_same_whatever_may_be_left_out(tmp_path: Path) -> None:
    _picture(tmp_path, "a.png")
    source, store = _llava(tmp_path, ["a.png", None]), LocalStore(tmp_path / "store")
    tolerant = source.model_copy(update={"without": ("missing", "broken")})
    assert prepare_source(tolerant, store, tmp_path) == prepare_source(source, store, tmp_path)


def test_broken_images_are_left_out_only_where_that_is_said(tmp_path: Path) -> None:
    _picture(tmp_path, "a.png")
    (tmp_path / "empty.png").write_bytes(b"")
    source, store = _llava(tmp_path, ["a.png", "empty.png", "gone.png"]), LocalStore(tmp_path / "store")
    with pytest.raises(InputError, match=r"'empty\.png' is empty"):
        prepare_source(source.model_copy(update={"without": ("missing",)}), store, tmp_path)
    both = source.model_copy(update={"without": ("missing", "broken")})
    assert prepare_source(both, store, tmp_path)[1].left_out == {"broken": 1, "missing": 1}


def test_a_missing_image_that_comes_back_is_a_change_of_the_source(tmp_path: Path) -> None:
    _picture(tmp_path, "a.png")
    source = _llava(tmp_path, ["a.png", "other/gone.png"]).model_copy(update={"without": ("missing",)})
    store = LocalStore(tmp_path / "store")
    digest, _ = prepare_source(source, store, tmp_path)
    before = source_signature(source, store, tmp_path, digest)
    (tmp_path / "other").mkdir()
    _picture(tmp_path / "other", "gone.png")
    assert source_signature(source, store, tmp_path, digest) != before


def test_records_and_images_that_cannot_be_used_are_told_together(tmp_path: Path) -> None:
    source, store = _llava(tmp_path, ["a.png", "/abs.png", "b.png"]), LocalStore(tmp_path / "store")
    with pytest.raises(InputError) as caught:
        prepare_source(source, store, tmp_path)
    assert "1 of 3 are not" in str(caught.value)
    assert "2 of 2 are not" in str(caught.value)
    assert f"looked for in {tmp_path}" in str(caught.value)
    assert "--data" in str(caught.value)
    assert len(store.get("problems/s.txt").splitlines()) == 3
