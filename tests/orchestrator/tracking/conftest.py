"""Storages of trackers: with an embedded database, which is copied because making one takes seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestrator.tracking.mlflow_connect import open_tracker
from trainables.storage import layout
from trainables.storage.store import LocalStore


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    storage = tmp_path_factory.mktemp("empty")
    open_tracker(None, storage)
    return storage / layout.TRACKING_DATABASE


@pytest.fixture
def storage(tmp_path: Path, empty_database: Path) -> Path:
    """A storage that has an embedded database without any study."""
    (tmp_path / layout.TRACKING).mkdir()
    shutil.copyfile(empty_database, tmp_path / layout.TRACKING_DATABASE)
    return tmp_path


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)
