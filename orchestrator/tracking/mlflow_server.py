"""Ask a tracking server, or the database embedded in a storage, for its runs and its version."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import filelock
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_MAX_RETRIES
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.rest_utils import http_request

from orchestrator.tracking.mlflow_errors import Answer, translate_artifact_errors, translate_errors
from orchestrator.tracking.tracker import TrackerAwayError, TrackerDeniedError, TrackerRefusedError
from search_spaces.names import inside
from trainables.storage import layout

PAGE = 1_000
"""Runs per request when runs are searched."""


@contextmanager
def unrepeated() -> Iterator[None]:
    """Send requests that make something once: it may have been made, although no answer has come, and would be again.

    MLflow's client repeats every request, as often as the environment says at that moment.
    """
    retries = MLFLOW_HTTP_REQUEST_MAX_RETRIES.get()
    MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(0)
    try:
        yield
    finally:
        MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(retries)


def write_files(folder: Path, files: Mapping[str, str | Path]) -> None:
    """Write files below a folder: MLflow names an artifact after its file.

    Args:
        folder: made if it is not there.
        files: name, with folders -> text of the file, or where it is.
    """
    for name, content in files.items():
        file = folder / inside(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            file.write_text(content, encoding="utf-8")
        else:
            shutil.copyfile(content, file)


@contextmanager
def files_aside(files: Mapping[str, str | Path]) -> Iterator[Path]:
    """Provide a folder with files of the given names, for an upload."""
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), files)
        yield Path(folder)


@dataclass
class MlflowServer:
    """A server that answers, and the storage whose studies it is given."""

    client: MlflowClient
    storage: Path
    name: str
    """Part of file names: `embedded`, or a digest of the address."""
    artifacts: str | None
    """URI of the folder of all artifacts, where the client decides that; None where the server does."""
    harmless: tuple[str, dict[str, str]] | None = None
    """End of the path, and body, of a request that writes what is there already: asked to learn why others fail."""

    @property
    def uri(self) -> str:
        return str(self.client.tracking_uri)

    @property
    def is_shared(self) -> bool:
        """Check whether runs may be made that `last_creation` does not tell of: by another address, or storage."""
        return self.artifacts is None

    @cached_property
    def lock(self) -> filelock.BaseFileLock:
        """Held while something is looked for and made if it is not there: drivers of one storage may be several."""
        folder = self.storage / layout.TRACKING
        folder.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(folder / f".{self.name}.lock", is_singleton=False)

    def last_creation(self) -> str:
        """Return what changes when a driver of this storage makes a trial's run or model; the caller has the lock."""
        try:
            return self._creation.read_text()
        except FileNotFoundError:
            return ""

    def note_creation(self) -> str:
        """Tell other drivers that a trial's run or model is about to be made; returns what they read from now on."""
        self._creation.unlink(missing_ok=True)  # it may be another user's, who shares the folder
        self._creation.write_text(creation := secrets.token_hex(8))
        return creation

    @property
    def _creation(self) -> Path:
        return self.storage / layout.TRACKING / f".{self.name}.created"

    def translate_errors(self) -> AbstractContextManager[None]:
        """Raise errors as those of `orchestrator.tracking.tracker`; where they do not tell, the server is asked."""
        return translate_errors(self.probe)

    def translate_artifact_errors(self) -> AbstractContextManager[None]:
        """Raise whatever fails in the artifact store as a refusal of the artifact, while the server answers."""
        return translate_artifact_errors(self.answers)

    def probe(self) -> Answer | None:
        """Ask the server for the harmless write, once; None where there is none yet, or no answer."""
        if self.harmless is None or not self.uri.startswith("http"):
            return None
        path, body = self.harmless
        credentials = self.client._tracking_client.store.get_host_creds()
        endpoint = f"/api/2.0/mlflow/{path}"
        try:
            answer = http_request(
                credentials, endpoint, "POST", json=body, timeout=10, max_retries=0, raise_on_status=False
            )
        except MlflowException:
            return None
        return Answer(answer.status_code, answer.text)

    def store_files(self, location: str, files: Mapping[str, str | Path]) -> None:
        """Store files at a location that this server gave to a run or a model.

        MLflow's client asks the server for the location first, which costs more than a few small files do.

        Args:
            location: URI of a folder.
            files: name, with folders -> text of the file, or where it is.
        """
        if self.artifacts is not None and location.startswith(f"{self.artifacts}/"):
            write_files(Path(url2pathname(urlsplit(location).path)), files)
            return
        with files_aside(files) as folder:
            get_artifact_repository(location, tracking_uri=self.uri).log_artifacts(str(folder))

    def answers(self) -> bool:
        """Say whether the server answers at all."""
        try:
            with translate_errors():
                self.client.search_experiments(max_results=1)
        except TrackerAwayError:
            return False
        except (TrackerDeniedError, TrackerRefusedError):
            return True
        return True

    def version(self) -> str | None:
        """Return the version of MLflow that shows the studies; None if the server does not tell."""
        if not self.uri.startswith("http"):
            return metadata.version("mlflow")
        credentials = self.client._tracking_client.store.get_host_creds()
        answer = http_request(credentials, "/version", "GET", timeout=10, max_retries=1)
        return answer.text.strip() if answer.status_code == 200 else None

    def create_run(self, experiment: str, name: str, tags: Mapping[str, str], started: int | None = None) -> Run:
        """Make a run.

        Args:
            experiment: its id.
            name: of the run.
            tags: name -> value.
            started: milliseconds since the epoch; None for now.
        """
        with unrepeated():
            return self.client.create_run(experiment, run_name=name, tags=dict(tags), start_time=started)

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
            with self.translate_errors():
                fetched = self.client.get_run(run)
        except TrackerRefusedError:
            return None
        return fetched if fetched.info.lifecycle_stage == "active" else None
