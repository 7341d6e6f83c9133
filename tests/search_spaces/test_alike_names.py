"""Names that people take for one are found, and written so that their difference is seen."""

from __future__ import annotations

import pytest

from search_spaces.alike_names import alike, seen_name, shown_apart


@pytest.mark.parametrize("later", ["New", "new ", "new\u00a0", "n\u200bew", "\ufeffnew", "ne\u00adw"])
def test_a_name_that_looks_like_an_earlier_one_is_found(later: str) -> None:
    assert alike(["new", "base", later, "new"]) == [("new", later)]


def test_names_that_look_different_are_not_alike() -> None:
    assert alike(["new", "new2", "new-2", "new 2", "x\u00b2", "x2"]) == []


def test_accents_of_one_or_two_characters_are_one_name_and_are_shown_apart() -> None:
    assert seen_name("caf\u00e9") == seen_name("cafe\u0301")
    assert shown_apart("caf\u00e9", "cafe\u0301") == r"'caf\xe9' and 'cafe\u0301'"
    assert shown_apart("new", "New") == "'new' and 'New'"
