"""Every record of a storage is of a kind that is damaged, or named as one that is not."""

from __future__ import annotations

import re

import pytest

from measurements.damage.kinds import KINDS, NOT_TRIED
from orchestrator.storage.stored_records import RECORDS
from trainables.storage import layout

NAMES = [name.replace("*", "0123abcd") for name in (*RECORDS, layout.kept_report("*"))]
NAMES = [name.replace("attempts/0123abcd", "attempts/1") for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_every_record_is_damaged_or_named_as_not_tried(name: str) -> None:
    assert [pattern for pattern in (*KINDS.values(), *NOT_TRIED) if re.fullmatch(pattern, name)] != []


@pytest.mark.parametrize("pattern", NOT_TRIED)
def test_what_is_named_as_not_tried_is_a_record(pattern: str) -> None:
    assert any(re.fullmatch(pattern, name) for name in NAMES)
