"""One contract over the readers of all source formats."""

from __future__ import annotations

import io
from pathlib import Path
from typing import get_args

import pytest
from PIL import Image

from search_spaces.errors import InputError
from search_spaces.spec import ReaderKind, SourceSpec
from tests.support.source_files import WRITERS
from trainables.data.readers import READERS, open_reader
from trainables.data.record import TEXT_ONLY


def test_every_format_has_a_reader_and_a_small_source() -> None:
    """Require a small source of every format. If one has none: write tests/support/source_files/<format>.py."""
    assert set(READERS) == set(get_args(ReaderKind)) == set(WRITERS)


@pytest.mark.parametrize("name", READERS)
def test_reader_contract_records_have_unique_ids_images_open_and_the_signature_is_stable(
    name: str, tmp_path: Path
) -> None:
    source = WRITERS[name](tmp_path)
    reader = open_reader(source, tmp_path)
    records = list(reader.records())
    assert records == list(open_reader(source, tmp_path).records())
    assert len({record.id for record in records}) == len(records) > 0
    for record in records:
        assert (record.image is None) == (TEXT_ONLY in record.tags)
        assert all(question and answer and "<image>" not in question for question, answer in record.turns)
        if record.image is not None:
            assert Image.open(io.BytesIO(reader.image(record.image))).size
    assert reader.signature() == open_reader(source, tmp_path).signature()


def test_a_missing_file_of_an_absolute_path_names_no_option_that_would_not_change_it(tmp_path: Path) -> None:
    source = SourceSpec(name="s", version="1", reader="llava", path=str(tmp_path / "none.json"))
    with pytest.raises(InputError, match="or name what is there"):
        open_reader(source, tmp_path)


def test_a_missing_file_says_where_it_was_looked_for_and_how_to_name_another_folder(tmp_path: Path) -> None:
    source = SourceSpec(name="s", version="1", reader="parquet", path="none.parquet")
    with pytest.raises(InputError, match=r"(?s)none\.parquet.*--data"):
        open_reader(source, tmp_path)
