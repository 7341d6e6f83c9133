"""Claims about search_spaces/field_docstrings.py."""

from __future__ import annotations

from pydantic import BaseModel

from search_spaces.field_docstrings import field_docstrings, records_within


class Inner(BaseModel):
    depth: int
    """Number of
    layers."""
    width: int = 1


class Outer(Inner):
    width: int = 2
    """Length of a feature."""
    parts: dict[str, tuple[Inner, ...] | None] = {}


def test_docstrings_of_fields_are_found_through_inheritance_and_are_one_line() -> None:
    assert field_docstrings(Inner) == {"depth": "Number of layers."}
    assert field_docstrings(Outer)["depth"] == "Number of layers."
    assert field_docstrings(Outer)["width"] == "Length of a feature."


def test_models_are_found_however_deep_they_stand_in_types() -> None:
    assert records_within(Outer) == {"Outer": Outer, "Inner": Inner}
