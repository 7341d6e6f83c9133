"""Parquet files give records and images, or an error that names the file and row."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from search_spaces.errors import InputError
from search_spaces.spec import SourceSpec
from trainables.data.formats.parquet import IMAGE_DIGEST, IMAGES_BY_PATH
from trainables.data.readers import open_reader
from trainables.data.refused import RefusedRecord

TALK = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
CHAT = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


def _png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (2, 2), shade).save(buffer, "PNG")
    return buffer.getvalue()


_IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})
IMAGES = {
    "bytes": lambda images: pa.array(images, pa.binary()),
    "large bytes": lambda images: pa.array(images, pa.large_binary()),
    "struct": lambda images: pa.array([None if i is None else {"bytes": i, "path": "same.png"} for i in images]),
    "struct of null": lambda images: pa.array([{"bytes": i, "path": i and "same.png"} for i in images]),
    "list of bytes": lambda images: pa.array([None if i is None else [i] for i in images], pa.list_(pa.binary())),
    "list of structs": lambda images: pa.array(
        [[] if i is None else [{"bytes": i, "path": "same.png"}] for i in images]
    ),
}


def _reader(folder: Path, *tables: dict[str, Any]) -> Any:
    for number, columns in enumerate(tables):
        pq.write_table(pa.table(columns), folder / f"{number}.parquet", row_group_size=2)
    return open_reader(SourceSpec(name="s", version="1", reader="parquet", path=str(folder)), folder)


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("images", [[1, 2, 3], [1, None, 3], [None, None, None], [None, 2, 3]])
def test_images_of_any_form_are_found_by_file_and_row(tmp_path: Path, kind: str, images: list[int | None]) -> None:
    column = IMAGES[kind]([None if shade is None else _png(shade) for shade in images])
    table = {"id": ["a", "b", "c"], "image": column, "conversations": [TALK] * 3}
    reader = _reader(tmp_path, table, table)
    keys = [record.image for record in reader.records()]
    assert keys == [f"{n}:{row}" if shade else None for n in range(2) for row, shade in enumerate(images)]
    for key, shade in zip(keys, images * 2, strict=True):
        assert key is None or reader.image(key) == _png(shade or 0)


def test_an_unreadable_record_names_its_file_and_row(tmp_path: Path) -> None:
    good = {"id": ["a"] * 5, "image": pa.nulls(5, pa.binary()), "conversations": [TALK] * 5}
    with pytest.raises(InputError, match=r"1\.parquet\[3\]"):
        list(_reader(tmp_path, good, {**good, "conversations": [TALK, TALK, TALK, [], TALK]}).records())


@pytest.mark.parametrize(
    ("columns", "law"),
    [
        ({"id": ["a"]}, "must have a column of conversations"),
        ({"conversations": [TALK], "jpg": [b"x"]}, "images must be in a column `image` or `images`, but are in 'jpg'"),
        ({"conversations": [TALK], "image": [b"x"], "images": [[b"x"]]}, "one column of images"),
        ({"id": ["a"], "conversations": [TALK], "image": ["a.png"]}, "`image` must be bytes"),
        ({"id": ["a"], "conversations": [TALK], "image": [["a.png"]]}, "`image` must be bytes"),
        ({"id": ["a"], "conversations": ["q"], "image": [b"x"]}, "must be a list of turns"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, columns: dict[str, Any], law: str) -> None:
    with pytest.raises(InputError, match=law):
        list(_reader(tmp_path, columns).records())


@pytest.mark.parametrize(
    ("images", "law"),
    [
        (
            pa.array([None, {"bytes": None, "path": "a.png"}], pa.struct({"bytes": pa.binary(), "path": pa.string()})),
            "path alone",
        ),
        (pa.array([[_png(1)], [_png(1), _png(2)]]), "list of 2 images"),
    ],
)
def test_a_row_without_one_image_of_its_own_is_named_by_row_and_group(tmp_path: Path, images: Any, law: str) -> None:
    refused: list[RefusedRecord] = []
    reader = _reader(tmp_path, {"images": images, "messages": [CHAT] * 2})
    assert [record.turns for record in reader.records(refused.append)] == [(("q", "a"),)]
    assert refused[0].place.endswith("0.parquet[1] (row group 0)")
    assert law in refused[0].law


def test_text_that_is_not_utf_8_spoils_its_own_row_only(tmp_path: Path) -> None:
    texts = pa.array([b"q", b"caf\xe9", b"q"]).view(pa.string())
    refused: list[RefusedRecord] = []
    read = list(_reader(tmp_path, {"question": texts, "answer": ["a"] * 3}).records(refused.append))
    assert [record.id for record in read] == ["0", "2"]
    assert ("[1]" in refused[0].place, refused[0].kind) == (True, "encoding")


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must hold files \*\.parquet"):
        _reader(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.integers(0, 700), flip=st.integers(0, 700))
def test_a_damaged_file_gives_records_or_an_input_error(tmp_path: Path, cut: int, flip: int) -> None:
    _reader(tmp_path, {"id": ["a"], "image": [_png(1)], "conversations": [TALK]})
    whole = bytearray((tmp_path / "0.parquet").read_bytes())
    whole[flip % len(whole)] ^= 255
    (tmp_path / "0.parquet").write_bytes(whole[: max(1, len(whole) - cut)])
    source = SourceSpec(name="s", version="1", reader="parquet", path=str(tmp_path))
    try:
        reader = open_reader(source, tmp_path)
        for record in reader.records():
            assert record.image is None or isinstance(reader.image(record.image), bytes)
    except InputError as error:
        assert "0.parquet" in str(error)  # noqa: PT017


def test_a_corrupt_parquet_file_is_an_input_error_naming_the_file(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 this is not parquet")
    source = SourceSpec(name="s", version="1", reader="parquet", path="bad.parquet")
    with pytest.raises(InputError, match=r"bad\.parquet"):
        list(open_reader(source, tmp_path).records())


def test_a_converted_file_without_its_columns_of_images_is_refused_by_name(tmp_path: Path) -> None:
    row = {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}
    image = {"bytes": b"x", "path": "x.png"}
    for broken in ({**row, "image": image}, {**row, IMAGE_DIGEST: b"0"}, {**row, "image": b"x", IMAGE_DIGEST: b"0"}):
        table = pa.Table.from_pylist([broken])
        pq.write_table(table.replace_schema_metadata({IMAGES_BY_PATH: b"1"}), tmp_path / "x.parquet")
        source = SourceSpec(name="s", version="1", reader="parquet", path="x.parquet")
        with pytest.raises(InputError, match=r"x\.parquet: a converted file must have the columns"):
            list(open_reader(source, tmp_path).records())


TALKS = [[{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]] * 2


@pytest.mark.parametrize("twice", ["image", "conversations", "id"])
def test_a_column_that_is_there_twice_is_refused_by_name(tmp_path: Path, twice: str) -> None:
    columns = {"id": ["0", "1"], "image": [b"x", b"y"], "conversations": TALKS}
    names = [*columns, twice]
    pq.write_table(
        pa.Table.from_arrays([pa.array(columns[name]) for name in names], names=names), tmp_path / "x.parquet"
    )
    source = SourceSpec(name="s", version="1", reader="parquet", path="x.parquet")
    with pytest.raises(InputError, match=rf"x\.parquet: a column must be there once, but '{twice}' is there 2 times"):
        list(open_reader(source, tmp_path).records())


@pytest.mark.parametrize("name", ["image_path", "Image", "img", "picture", "file_name"])
def test_paths_of_images_in_another_column_are_refused_by_name(tmp_path: Path, name: str) -> None:
    pq.write_table(pa.table({name: ["a.png", "b.png"], "conversations": TALKS}), tmp_path / "x.parquet")
    source = SourceSpec(name="s", version="1", reader="parquet", path="x.parquet")
    with pytest.raises(InputError, match=rf"x\.parquet: .*'{name}' is 'a.png'"):
        list(open_reader(source, tmp_path).records())


def test_a_column_that_is_only_called_after_images_is_passed_over(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image_id": ["17", "18"], "conversations": TALKS}), tmp_path / "x.parquet")
    source = SourceSpec(name="s", version="1", reader="parquet", path="x.parquet")
    assert [record.image for record in open_reader(source, tmp_path).records()] == [None, None]


def test_json_that_is_called_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_text('[{"conversations": []}]')
    source = SourceSpec(name="s", version="1", reader="parquet", path="x.parquet")
    with pytest.raises(InputError, match="but it is JSON"):
        list(open_reader(source, tmp_path).records())
