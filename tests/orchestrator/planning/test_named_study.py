"""A study goes by its file, its folder, the name of a shipped one, or its name on storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.planning.named_study import named_study
from search_spaces.errors import InputError
from tests.support.command_line import SMALL
from trainables.storage import layout
from trainables.storage.store import LocalStore


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    """A storage on which `small` ran, and its toy form."""
    store = LocalStore(tmp_path / "storage")
    store.put(layout.study_file("small"), SMALL.replace("Does it run?", "As it ran").encode())
    store.put(layout.study_file("small-toy"), SMALL.encode())
    return store.root


def test_a_file_and_its_folder_are_the_same_study(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(SMALL)
    for name in (tmp_path / "study.yaml", tmp_path):
        assert named_study(str(name), tmp_path / "none").question == "Does it run?"


def test_a_name_on_storage_is_the_study_as_it_ran_last(storage: Path) -> None:
    study = named_study("small", storage, ["base.epochs=3"])
    assert (study.question, study.base.epochs) == ("As it ran", 3)


def test_a_file_of_that_name_comes_first(storage: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small").write_text(SMALL)
    assert named_study("small", storage).question == "Does it run?"


def test_a_name_that_is_refused_is_never_suggested(storage: Path) -> None:
    LocalStore(storage).put(layout.study_file("quickstart-toy"), b"study: quickstart\n")
    with pytest.raises(InputError) as error:
        named_study("quickstart-toy", storage)
    assert "'quickstart-toy'" not in str(error.value.way_out)


@pytest.mark.parametrize(("name", "nearest"), [("smal", "small"), ("small-toy", "small"), ("quickstat", "quickstart")])
def test_what_is_neither_is_refused_with_the_nearest(storage: Path, name: str, nearest: str) -> None:
    with pytest.raises(InputError) as error:
        named_study(name, storage)
    assert nearest in str(error.value.way_out)
