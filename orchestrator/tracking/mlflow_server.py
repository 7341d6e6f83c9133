"""Ask a tracking server, or the database embedded in a storage, for its runs and its version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path

import filelock
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from mlflow.utils.rest_utils import http_request

from orchestrator.tracking.mlflow_errors import translate_errors
from orchestrator.tracking.tracker import TrackerRefusedError
from trainables.storage import layout

PAGE = 1_000
"""Runs per request when runs are searched."""


@dataclass(frozen=True)
class MlflowServer:
    """A server that answers, and the storage whose studies it is given."""

    client: MlflowClient
    storage: Path
    name: str
    """Part of file names: `embedded`, or a digest of the address."""
    artifacts: str | None
    """URI of the folder of all artifacts, where the client decides that; None where the server does."""

    @property
    def uri(self) -> str:
        return str(self.client.tracking_uri)

    @cached_property
    def lock(self) -> filelock.BaseFileLock:
        """Held while something is looked for and made if it is not there: drivers of one storage may be several."""
        folder = self.storage / layout.TRACKING
        folder.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(folder / f".{self.name}.lock", is_singleton=False)

    def version(self) -> str | None:
        """Return the version of MLflow that shows the studies; None if the server does not tell."""
        if not self.uri.startswith("http"):
            return metadata.version("mlflow")
        credentials = self.client._tracking_client.store.get_host_creds()
        answer = http_request(credentials, "/version", "GET", timeout=10, max_retries=1)
        return answer.text.strip() if answer.status_code == 200 else None

    def search_runs(self, experiments: Sequence[str], condition: str) -> list[Run]:
        """Find all runs of some experiments that meet a condition and are not deleted."""
        ids = list(experiments)
        runs = page = self.client.search_runs(ids, condition, ViewType.ACTIVE_ONLY, PAGE)
        while page.token:
            page = self.client.search_runs(ids, condition, ViewType.ACTIVE_ONLY, PAGE, None, page.token)
            runs = [*runs, *page]
        return list(runs)

    def active_run(self, run: str) -> Run | None:
        """Return the run as it is on the server, or None if it is deleted or not there."""
        try:
            with translate_errors():
                fetched = self.client.get_run(run)
        except TrackerRefusedError:
            return None
        return fetched if fetched.info.lifecycle_stage == "active" else None
