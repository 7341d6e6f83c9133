"""A JSON document can be bounded: to some of its fields, and to the first items of its lists."""

from __future__ import annotations

import pytest

from orchestrator.json_bounds import MOST_CHARACTERS, Bounds
from search_spaces.errors import InputError

DOCUMENT = {
    "schema_version": 1,
    "study": "small",
    "verdicts": [{"id": "a", "interval": {"low": 1, "high": 2}}, {"id": "b", "interval": None}],
    "empty": [],
}


def test_selected_fields_are_kept_in_their_places() -> None:
    bounds = Bounds(select=(("verdicts", "id"), ("verdicts", "interval", "low")))
    rows = [{"id": "a", "interval": {"low": 1}}, {"id": "b", "interval": None}]
    assert bounds.applied_to(DOCUMENT) == {"schema_version": 1, "verdicts": rows}


def test_fields_of_items_that_are_not_there_are_no_mistake() -> None:
    assert Bounds(select=(("empty", "id"),)).applied_to(DOCUMENT) == {"schema_version": 1, "empty": []}


@pytest.mark.parametrize("path", [("verdict",), ("verdicts", "ids"), ("study", "name")])
def test_a_field_that_is_nowhere_is_refused(path: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=f"'{'.'.join(path)}' is none"):
        Bounds(select=(path,)).applied_to(DOCUMENT)


def test_a_brief_document_counts_what_it_leaves_out() -> None:
    document = {"rows": ({"cells": list(range(9))} for _ in range(7)), "text": "a" * 400, "few": [1, 2]}
    brief = Bounds(is_brief=True).applied_to(document)
    assert brief == {
        "rows": [{"cells": [0, 1, 2, 3, 4]}] * 5,
        "text": "a" * MOST_CHARACTERS + "...",
        "few": [1, 2],
        "left_out": {"rows": 2, "rows.cells": 20},
    }


def test_a_short_document_is_the_same_in_brief() -> None:
    assert Bounds(is_brief=True).applied_to(DOCUMENT) == DOCUMENT


def test_a_field_is_found_beside_a_wider_one_that_has_it() -> None:
    rows = ({"id": name, "interval": {"low": 1}} for name in "ab")
    bounds = Bounds(select=(("verdicts",), ("verdicts", "interval", "low")))
    both = bounds.applied_to({"schema_version": 1, "verdicts": rows})
    assert [row["id"] for row in both["verdicts"]] == ["a", "b"]
    assert both == Bounds(select=(("verdicts",),)).applied_to({"schema_version": 1, "verdicts": both["verdicts"]})
    with pytest.raises(InputError, match=r"'verdicts\.ids' is none"):
        Bounds(select=(("verdicts",), ("verdicts", "ids"))).applied_to(DOCUMENT)
