"""The owner of a lease or a folder is read as it was written, also by other versions, and never as another process."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, replace

import pytest

from trainables.storage.owner import Owner

HERE = Owner.here()
WHOLE = HERE.to_bytes()


def test_owner_is_read_as_it_was_written() -> None:
    assert Owner.parse(WHOLE) == HERE


def test_owner_of_an_earlier_version_is_read() -> None:
    earlier = {name: value for name, value in json.loads(WHOLE).items() if name in ("host", "pid", "started")}
    assert Owner.parse(json.dumps(earlier).encode()) == replace(HERE, boot="", namespace="")


def test_owner_of_a_newer_version_with_more_fields_is_read() -> None:
    fields = {**asdict(HERE), "nonce": "of another version"}
    written = json.dumps({**fields, "~checksum": zlib.crc32(json.dumps(fields).encode())})
    assert Owner.parse(written.encode()) == HERE
    assert Owner.parse(written.replace("of another", "of no other").encode()) is None


@pytest.mark.parametrize("field", ["pid", "started", "host", "boot", "namespace"])
def test_owner_with_a_flipped_bit_is_nobody_and_never_a_process_that_is_gone(field: str) -> None:
    written = json.loads(WHOLE)
    at = WHOLE.index(
        json.dumps(written[field]).strip('"').encode(), WHOLE.index(f'"{field}"'.encode()) + len(field) + 3
    )
    assert Owner.parse(WHOLE[:at] + bytes([WHOLE[at] ^ 1]) + WHOLE[at + 1 :]) is None
