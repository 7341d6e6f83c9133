"""Storages of trackers: with an embedded database, which is copied because making one takes seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from orchestrator.tracking.embedded_database import embedded_uri
from orchestrator.tracking.mlflow_connect import open_tracker
from trainables.storage import layout


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedded database without any study, made once for all tests."""
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
def client(storage: Path) -> MlflowClient:
    """A client of the embedded database."""
    return MlflowClient(embedded_uri(storage))
