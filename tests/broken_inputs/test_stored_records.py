"""Records of every kind on storage, spoiled anywhere: read as their kind, or refused with the file; studies go on."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.errors import InputError
from tests.support.broken_inputs import tries
from tests.support.drawn_records import KINDS, drawn
from tests.support.spoiled_json import spoiled, spoiled_bytes
from trainables.storage.record_files import read, read_whole, write
from trainables.storage.store import LocalStore

NAME = "records/x.json"


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
@tries("stored records", few=6)
@given(data=st.data())
def test_a_record_that_was_written_is_read_and_bytes_that_were_not_are_refused_with_the_file(
    kind: type, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder))
        record = data.draw(drawn(kind))
        write(store, NAME, record)
        assert read(store, NAME, kind) == record
        whole = store.get(NAME)
        store.put(NAME, data.draw(spoiled_bytes(whole)))
        shown = read_whole(store, NAME, kind)
        assert shown in (None, record) or b"~checksum" not in whole  # which only objects with fields have
        if shown is None:
            with pytest.raises(InputError, match=NAME):
                read(store, NAME, kind)
        assert store.list("") == [NAME]


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
@tries("stored records", few=10)
@given(data=st.data())
def test_values_that_are_not_those_of_a_record_are_its_kind_or_refused_with_the_file(
    kind: type, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder))
        write(store, NAME, data.draw(drawn(kind)))
        value = json.loads(store.get(NAME))
        if isinstance(value, dict):
            value.pop("~checksum", None)  # as versions wrote it that knew none: then values are all that is checked
        store.put(NAME, json.dumps(data.draw(spoiled(value))).encode())
        refused, record = None, None
        try:
            record = read(store, NAME, kind)
        except InputError as error:
            refused = error
        if refused is None:
            assert isinstance(record, kind)
        else:
            assert refused.place == store.place(NAME)
            assert len(str(refused)) < 10_000
        assert store.list("") == [NAME]
