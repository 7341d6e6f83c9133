"""What a run knew of a language model by its origin is recalled where the model's folder is not at hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.commands.options import SelectionOptions, planned_study
from orchestrator.planning.language_memory import StoredLanguageFacts, remember_languages
from orchestrator.planning.planned import expand
from search_spaces.errors import InputError
from search_spaces.expansion.resolve_language import LanguageFacts
from search_spaces.study_files import load_study
from trainables.storage.store import LocalStore

STUDY = """\
study: own
base:
  vision: {backbone: efficientnet-lite0, resolution: 64, resize: naive}
  language: path:llm/own
  stages: [finetune]
  epochs: 1
  data: easy-vqa-1500
recipe: quickstart
axes: {vision.tokens: [4, 1]}
benchmarks: easy-vqa
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "llm" / "own"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "hidden_size": 48}))
    return tmp_path / "data"


@pytest.fixture
def study(tmp_path: Path) -> str:
    (tmp_path / "own.yaml").write_text(STUDY)
    return str(tmp_path / "own.yaml")


def _remember(study: str, store: LocalStore, data: Path) -> None:
    options = SelectionOptions(data=data).plan_options(store.root)
    remember_languages(expand(load_study(study), options).specs(), store, data)


def test_a_study_that_ran_is_planned_without_its_data_folder(study: str, store: LocalStore, data: Path) -> None:
    with_data = planned_study(study, store.root, SelectionOptions(data=data)).plan
    with pytest.raises(InputError, match="needs `family` and `width`"):
        planned_study(study, store.root, SelectionOptions())
    _remember(study, store, data)
    assert planned_study(study, store.root, SelectionOptions()).plan.trials == with_data.trials


def test_a_checkpoint_at_hand_tells_more_than_storage(study: str, store: LocalStore, data: Path) -> None:
    _remember(study, store, data)
    config = data / "llm" / "own" / "config.json"
    config.write_text(json.dumps({"model_type": "llama", "hidden_size": 96}))
    assert StoredLanguageFacts(store, data)("path:llm/own") == LanguageFacts("llama", 96)


def test_a_checkpoint_that_cannot_be_read_is_recalled_or_refused(study: str, store: LocalStore, data: Path) -> None:
    config = data / "llm" / "own" / "config.json"
    whole = config.read_text()
    config.write_text("{")
    with pytest.raises(InputError):
        StoredLanguageFacts(store, data)("path:llm/own")
    config.write_text(whole)
    _remember(study, store, data)
    config.write_text("{")
    assert StoredLanguageFacts(store, data)("path:llm/own") == LanguageFacts("llama", 48)
