"""Every record is a JSON object: only these end with a checksum, without which one bit can make another record."""

from __future__ import annotations

import pytest

from orchestrator.storage.stored_records import RECORDS
from search_spaces.typed import adapter


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_an_object(name: str) -> None:
    assert adapter(RECORDS[name].kind).json_schema(mode="serialization")["type"] == "object"
