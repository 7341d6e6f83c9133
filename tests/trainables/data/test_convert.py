"""A converted source is the same source, and a killed conversion goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from search_spaces.errors import InputError
from search_spaces.spec import SourceSpec
from trainables.data import convert
from trainables.data.convert import Conversion, convert_source
from trainables.data.pace import Pace
from trainables.data.prepare import prepare_source
from trainables.data.prepared import PreparedSource
from trainables.storage.store import LocalStore

QUIET = Pace("s", lambda _: None)


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "_RECORDS_PER_SHARD", 4)
    monkeypatch.setattr(convert, "_ROW_GROUP", 2)


def _llava(folder: Path, records: int = 11) -> SourceSpec:
    """Write a source whose records share images over the borders of files; every fifth record has none."""
    rows = []
    for number in range(records):
        value = ("<image>\n" if number % 5 else "") + f" what is {number}?"
        row = {"id": number % 3, "conversations": [{"from": "human", "value": value}, {"from": "gpt", "value": "a"}]}
        if number % 5:
            name = f"{number % 4}.png"
            Image.new("RGB", (4, 4), (number % 4, 0, 0)).save(folder / name)
            row |= {"image": name, "tags": ["t"]}
        rows.append(row)
    (folder / "chat.json").write_text(json.dumps(rows))
    return SourceSpec(name="s", version="1", reader="llava", path="chat.json")


def _convert(source: SourceSpec, folder: Path) -> Conversion:
    return convert_source(source, folder, folder / "out", LocalStore(folder / "store"), 2, QUIET)


def _parquet(source: SourceSpec) -> SourceSpec:
    return source.model_copy(update={"reader": "parquet", "path": "out", "image_folder": None})


def test_a_converted_source_is_the_same_source(tmp_path: Path) -> None:
    source, store = _llava(tmp_path), LocalStore(tmp_path / "store")
    done = _convert(source, tmp_path)
    digest, counts = prepare_source(source, store, tmp_path)
    assert (done.digest, done.counts) == (digest, counts)
    assert prepare_source(_parquet(source), LocalStore(tmp_path / "other"), tmp_path) == (digest, counts)
    first, second = PreparedSource(store, digest), PreparedSource(LocalStore(tmp_path / "other"), digest)
    for row in range(len(first)):
        assert (first.id(row), first.turns(row)) == (second.id(row), second.turns(row))
    assert first.image_rows.tolist() == second.image_rows.tolist()


def test_every_image_is_stored_once_and_not_compressed(tmp_path: Path) -> None:
    done = _convert(_llava(tmp_path), tmp_path)
    files = sorted(done.folder.glob("*.parquet"))
    assert len(files) == done.shards == 3
    stored = [row for file in files for row in pq.read_table(file)["image"].to_pylist() if row and row["bytes"]]
    assert sorted(row["path"] for row in stored) == ["0.png", "1.png", "2.png", "3.png"]
    columns = [pq.ParquetFile(files[0]).metadata.row_group(0).column(i) for i in range(6)]
    assert {c.compression for c in columns if c.path_in_schema == "image.bytes"} == {"UNCOMPRESSED"}


@pytest.mark.parametrize("killed_at", [0, 1, 2])
def test_a_killed_conversion_goes_on_with_the_first_file_that_is_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    source = _llava(tmp_path)
    begun = iter(range(99))
    write = convert._write_shard

    def killed(*args: object) -> bool:
        if next(begun) == killed_at:
            (tmp_path / "out.converting" / ".part-00009.parquet.x.aside").write_bytes(b"PAR1")
            raise KeyboardInterrupt
        return write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(convert, "_write_shard", killed)
    with pytest.raises(KeyboardInterrupt):
        _convert(source, tmp_path)
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(convert, "_write_shard", write)
    done = _convert(source, tmp_path)
    assert (done.shards, done.kept) == (3, killed_at)
    assert done.digest == prepare_source(source, LocalStore(tmp_path / "store"), tmp_path)[0]
    assert sorted(path.name for path in done.folder.iterdir()) == [
        "convert.json",
        *(f"part-{i:05d}.parquet" for i in range(3)),
    ]


def test_images_that_cannot_be_used_are_all_told_and_their_files_left_to_do(tmp_path: Path) -> None:
    source = _llava(tmp_path)
    whole = (tmp_path / "3.png").read_bytes()
    (tmp_path / "3.png").write_bytes(whole[:40])
    (tmp_path / "1.png").unlink()
    with pytest.raises(InputError, match="2 of 4 are not"):
        _convert(source, tmp_path)
    assert not (tmp_path / "out").exists()
    (tmp_path / "3.png").write_bytes(whole)
    Image.new("RGB", (4, 4), (1, 0, 0)).save(tmp_path / "1.png")
    done = _convert(source, tmp_path)
    assert done.kept == 2
    assert done.digest == prepare_source(source, LocalStore(tmp_path / "store"), tmp_path)[0]


def test_a_conversion_whose_records_are_corrected_is_begun_anew_by_the_same_call(tmp_path: Path) -> None:
    source = _llava(tmp_path)
    (tmp_path / "1.png").unlink()
    with pytest.raises(InputError, match="is missing"):
        _convert(source, tmp_path)
    done = _convert(_llava(tmp_path, records=12), tmp_path)
    assert (done.kept, done.counts.records) == (0, 12)
    assert done.digest == prepare_source(source, LocalStore(tmp_path / "store"), tmp_path)[0]


def test_a_conversion_goes_on_from_another_image_folder_and_from_a_corrected_record(tmp_path: Path) -> None:
    source = _llava(tmp_path)
    rows = (tmp_path / "chat.json").read_text()
    (tmp_path / "chat.json").write_text(rows.replace('"gpt"', '"tool"', 1))
    with pytest.raises(InputError, match="every record must be readable"):
        _convert(source, tmp_path)
    (tmp_path / "chat.json").write_text(rows)
    elsewhere = source.model_copy(update={"image_folder": "elsewhere"})
    with pytest.raises(InputError, match=r"elsewhere, which is not there.*names another folder"):
        _convert(elsewhere, tmp_path)
    done = _convert(source, tmp_path)
    assert done.digest == prepare_source(source, LocalStore(tmp_path / "store"), tmp_path)[0]
    assert done.kept == 0


def test_an_image_that_was_exchanged_in_between_is_read_again(tmp_path: Path) -> None:
    source = _llava(tmp_path)
    (tmp_path / "3.png").unlink()
    with pytest.raises(InputError, match="is missing"):
        _convert(source, tmp_path)
    Image.new("RGB", (9, 9), (99, 0, 0)).save(tmp_path / "1.png")
    Image.new("RGB", (4, 4), (3, 0, 0)).save(tmp_path / "3.png")
    done = _convert(source, tmp_path)
    assert done.digest == prepare_source(source, LocalStore(tmp_path / "store"), tmp_path)[0]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--to: must be a folder that can be written"):
        convert_source(_llava(tmp_path), tmp_path, tmp_path / "file" / "out", LocalStore(tmp_path / "store"), 0, QUIET)


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    source = _llava(tmp_path)
    _convert(source, tmp_path)
    with pytest.raises(InputError, match="must be a new folder"):
        _convert(source, tmp_path)


def _lossy(folder: Path) -> SourceSpec:
    """Write a source with a missing and two broken images, which it leaves out; the third file has none of them."""
    source = _llava(folder).model_copy(update={"without": ("missing", "broken")})
    (folder / "1.png").unlink()
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:40])
    (folder / "3.png").unlink()
    (folder / "3.png").mkdir()
    return source


def test_what_a_source_leaves_out_it_leaves_out_of_its_conversion_too(tmp_path: Path) -> None:
    source = _lossy(tmp_path)
    done = _convert(source, tmp_path)
    assert done.counts.left_out == {"broken": 4, "missing": 2}
    assert (done.digest, done.counts) == prepare_source(source, LocalStore(tmp_path / "store"), tmp_path)
    assert (done.digest, done.counts) == prepare_source(_parquet(source), LocalStore(tmp_path / "other"), tmp_path)
    with pytest.raises(InputError, match="3 of 4 are not"):
        prepare_source(_parquet(source).model_copy(update={"without": ()}), LocalStore(tmp_path / "other"), tmp_path)


def test_a_killed_conversion_of_a_source_with_lost_images_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, write = _lossy(tmp_path), convert._write_shard

    def killed(*args: object) -> bool:
        if "part-00002" in str(args):
            raise KeyboardInterrupt
        return write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(convert, "_write_shard", killed)
    with pytest.raises(KeyboardInterrupt):
        _convert(source, tmp_path)
    monkeypatch.setattr(convert, "_write_shard", write)
    done = _convert(source, tmp_path)
    assert done.kept == 2
    assert (done.digest, done.counts) == prepare_source(source, LocalStore(tmp_path / "store"), tmp_path)


def test_a_lost_image_that_came_back_in_between_is_converted(tmp_path: Path) -> None:
    source = _llava(tmp_path).model_copy(update={"without": ("missing",)})
    (tmp_path / "1.png").unlink()
    (tmp_path / "0.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="1 of 3 are not"):
        _convert(source, tmp_path)
    for number in (0, 1):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / f"{number}.png")
    done = _convert(source, tmp_path)
    assert (done.counts.left_out, done.digest) == ({}, prepare_source(source, LocalStore(tmp_path), tmp_path)[0])
