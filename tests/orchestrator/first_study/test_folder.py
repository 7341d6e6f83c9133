"""A study goes by the name of its folder, and by no name that something else has."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.first_study.folder import study_name
from search_spaces.errors import InputError
from search_spaces.names import is_slug
from trainables.storage import layout
from trainables.storage.store import LocalStore


@pytest.mark.parametrize("folder", ["mine", "2025", "my-study"])
def test_a_study_is_named_after_its_folder(folder: str, store: LocalStore) -> None:
    assert study_name(Path("somewhere") / folder, store) == folder


def test_folders_without_ascii_letters_are_different_studies(store: LocalStore) -> None:
    names = {study_name(Path(folder), store) for folder in ("数据", "図", "é", "étude", "tude", "data")}
    assert len(names) == 6
    assert all(map(is_slug, names))
    assert study_name(Path("e\N{COMBINING ACUTE ACCENT}"), store) == study_name(Path("é"), store)


@pytest.mark.parametrize("folder", ["mine", "MINE"])
def test_a_name_that_the_storage_has_is_refused(folder: str, store: LocalStore) -> None:
    store.put(layout.study_file("mine"), b"study: mine\n")
    with pytest.raises(InputError, match=r"a name that its storage does not have, but .* has 'mine'"):
        study_name(Path(folder), store)
