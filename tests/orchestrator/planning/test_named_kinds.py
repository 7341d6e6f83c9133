"""Every kind of names is in the table, and every name can be shown."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import get_args

import pytest

from orchestrator.planning.named_kinds import KINDS, Kind, details_of, names_of
from orchestrator.planning.named_study import named_study
from search_spaces.catalogue.load import Catalogue, shipped
from search_spaces.errors import InputError
from search_spaces.study_files import load_study, shipped_studies
from tests.support.command_line import SMALL
from trainables.storage import layout
from trainables.storage.store import LocalStore

CALLED = {"encoders": "backbones", "resources": "presets"}
"""Parts of the catalogue whose names have another word in studies."""


def test_the_table_of_kinds_is_complete() -> None:
    assert set(KINDS) == set(get_args(Kind))


@pytest.mark.parametrize("part", [field.name for field in fields(Catalogue)])
def test_every_entry_of_the_catalogue_is_listed(part: str, store: LocalStore) -> None:
    kind: Kind = CALLED.get(part, part)  # type: ignore[assignment]  # what it is not the assertion finds
    assert set(names_of(kind, store)) == set(getattr(shipped(), part))


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_is_described_and_can_be_shown(kind: Kind, store: LocalStore) -> None:
    names = names_of(kind, store)
    assert names
    assert all(names.values())
    for name in names:
        assert json.loads(json.dumps(details_of(kind, name, store)))


def test_studies_are_the_shipped_ones_and_those_of_the_storage(store: LocalStore) -> None:
    store.put(layout.study_file("mine"), b"study: mine\nquestion: Which?\n")
    store.put(layout.study_file("mine-toy"), b"study: mine\n")
    store.put(layout.study_file("quickstart-toy"), b"study: quickstart\n")
    assert set(names_of("studies", store)) == {*shipped_studies(), "mine"}
    assert details_of("studies", "mine", store) == {"study": "mine", "question": "Which?"}
    assert details_of("studies", "mini", store) == load_study("mini").document.value


def test_every_study_that_is_listed_can_be_loaded(store: LocalStore) -> None:
    store.put(layout.study_file("small"), SMALL.encode())
    store.put(layout.study_file("small-toy"), SMALL.encode())
    listed = names_of("studies", store)
    assert "small" in listed
    assert [named_study(name, store.root).study for name in listed if name not in shipped_studies()] == ["small"]


def test_a_damaged_study_is_listed_beside_the_others(store: LocalStore) -> None:
    store.put(layout.study_file("small"), SMALL.encode())
    store.put(layout.study_file("broken"), b"[")
    assert {"small", "broken"} <= set(names_of("studies", store))


def test_an_unknown_name_is_answered_with_the_nearest(store: LocalStore) -> None:
    with pytest.raises(InputError, match="Did you mean 'quickstart'"):
        details_of("recipes", "quikstart", store)
