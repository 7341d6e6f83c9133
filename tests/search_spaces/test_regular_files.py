"""A file that is none is refused at once wherever a user may name one: nothing waits for a pipe or reads a device."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from search_spaces.errors import InputError
from search_spaces.expansion.chosen_examples import read_chosen
from search_spaces.regular_files import open_regular, read_regular
from search_spaces.spec import SourceSpec
from search_spaces.study import Study
from search_spaces.yaml_source import read
from trainables.benchmarks.files.plain_text import read_text
from trainables.data.checked_images import checked_images
from trainables.data.readers import open_reader
from trainables.model.tensor_files import check_content

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=["pipe", "socket", "device", "pipe behind a link", "link to itself"])
def no_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "x.json"
    match request.param:
        case "pipe":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(str(path))
        case "device":
            path.symlink_to("/dev/zero")
        case "pipe behind a link":
            os.mkfifo(tmp_path / "pipe")
            path.symlink_to(tmp_path / "pipe")
        case "link to itself":
            path.symlink_to(path)
    return path


def records(path: Path, reader: str) -> list[object]:
    source = SourceSpec(name="s", version="1", reader=reader, path=path.name)  # type: ignore[arg-type]  # a literal
    return list(open_reader(source, path.parent).records())


READ: dict[str, Callable[[Path], object]] = {
    "a study": read,
    "a list of ids": lambda path: read_chosen(Study.model_construct(), str(path), ()),
    "tables, predictions and files of benchmarks": read_text,
    "records as JSON": lambda path: records(path, "llava"),
    "records as Parquet": lambda path: records(path, "parquet"),
    "a file of a checkpoint": check_content,
}


@pytest.mark.parametrize("what", READ)
def test_what_is_no_file_is_refused_at_once_by_name(no_file: Path, what: str) -> None:
    with pytest.raises(InputError) as refused:
        READ[what](no_file)
    assert no_file.name in str(refused.value)


def test_an_image_that_is_no_file_is_a_problem_of_its_record(no_file: Path) -> None:
    (no_file.parent / "records.json").write_text("[]")
    source = SourceSpec(name="s", version="1", reader="llava", path="records.json")
    (image,) = checked_images(open_reader(source, no_file.parent), [no_file.name], source.pixels, 0)
    assert image.problem is not None
    assert image.problem.startswith("cannot be read (")


def test_a_file_is_read_through_links(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link") == b"content"
    with open_regular(tmp_path / "file") as file:
        assert file.read(3) == b"con"
    for name, error in (("absent", FileNotFoundError), (".", IsADirectoryError)):
        with pytest.raises(error):
            read_regular(tmp_path / name)
