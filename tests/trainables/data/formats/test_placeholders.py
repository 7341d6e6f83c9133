"""Placeholders are removed as often as they are put together, in the time of one reading."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.bounded import bounded
from tests.support.broken_inputs import tries
from trainables.data.formats.placeholders import PLACEHOLDER, announced_images, without_placeholders
from trainables.data.refused import RecordError


@tries("placeholders", few=300)
@given(st.lists(st.sampled_from(["<image>", "<im", "age>", "<", ">", "image", "a", " ", "<image", "i"]), max_size=30))
def test_what_is_left_is_what_removing_again_and_again_leaves(parts: list[str]) -> None:
    text = "".join(parts)
    left = text
    while PLACEHOLDER in left:
        left = left.replace(PLACEHOLDER, "")
    assert without_placeholders(text) == left.strip()


@pytest.mark.parametrize(
    "text",
    [
        "<im" * 200_000 + "age>" * 200_000,
        "<image>" + " " * 200_000 + "x y</image>",
        "<image>" + "x" * 200_000 + " y</image>",
        "<image>" * 50_000 + "</image>" * 50_000,
        "<img>" * 100_000,
        "<video>" + " " * 200_000 + "x",
        "<|image" * 100_000,
    ],
    ids=["nested", "spaces", "a word", "elements", "open elements", "a video", "other spellings"],
)
def test_no_text_takes_long(text: str) -> None:
    with bounded(cpu_s=10):
        without_placeholders(text)
        with suppress(RecordError):
            announced_images([text])
