"""The statistical methods, by name. Adding one: a module with a `METHOD`, and its name and its line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

from orchestrator.analysis.methods import paired_table, prismatic_2024, seed_paired
from orchestrator.analysis.methods.contract import StudyMethod, TableMethod
from search_spaces.errors import InputError, nearest

StudyMethodName = Literal["study"]
TableMethodName = Literal["paired-table", "prismatic-2024"]

STUDY_METHODS: Mapping[StudyMethodName, StudyMethod] = {"study": seed_paired.METHOD}
"""Methods for studies, whose examples and seeds are on storage; the first one is the default."""
TABLE_METHODS: Mapping[TableMethodName, TableMethod] = {
    "paired-table": paired_table.METHOD,
    "prismatic-2024": prismatic_2024.METHOD,
}
"""Methods for tables of scores, models by benchmarks; the first one is the default."""

Name = TypeVar("Name", bound=str)


def find_name(name: str | None, table: Mapping[Name, object]) -> Name:
    """Find the key of a method, by default the first one. Raises InputError that lists the names of the table."""
    if name is None:
        return next(iter(table))
    for known in table:
        if known == name:
            return known
    raise InputError(
        f"must be one of {', '.join(table)}, but got {name!r}", key="--method", way_out=nearest(name, table)
    )
