"""Open an MLflow tracker: a server's, or the database embedded in the storage."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import socket
from pathlib import Path

from mlflow import MlflowClient

from cluster.connect import in_job
from orchestrator.own_command import own_command
from orchestrator.tracking.embedded_database import embedded_uri, prepare_embedded
from orchestrator.tracking.mlflow_errors import plain_words, translate_errors
from orchestrator.tracking.mlflow_server import MlflowServer
from orchestrator.tracking.mlflow_tracker import MlflowTracker
from orchestrator.tracking.tracker import TrackerAwayError, TrackerDeniedError, TrackerRefusedError
from search_spaces.credentials import without_credentials
from search_spaces.errors import InputError
from trainables.storage import layout

CLIENT_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""MLflow's own retries take 247 s against a closed port; the uploader retries by itself, without end."""

_MUST_ANSWER = "the tracking server must answer before a study starts, but it says"
_AWAY = "Start the server, or use --offline: `ablate sync` sends later what the storage keeps meanwhile."
_DENIED = (
    "Look at the address and at MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (or MLFLOW_TRACKING_TOKEN);"
    " `mlflow server` answers only to the names of --allowed-hosts. Or use --offline: `ablate sync` sends later what"
    " the storage keeps."
)

EMBEDDED = "embedded"
"""Name of the server that is the storage's own database."""


def open_tracker(uri: str | None, storage: Path) -> MlflowTracker:
    """Reach the tracking server at `uri`; None for the database embedded in `storage`, made if it is not there.

    Raises InputError if it does not answer within some seconds, if its schema is newer than this MLflow, or if the
    embedded database is damaged.
    """
    for name, value in CLIENT_SETTINGS.items():
        os.environ.setdefault(name, value)
    for name in ("mlflow", "alembic"):  # what fails is raised, too, and named in our words
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if uri is None:
        artifacts = (storage / layout.TRACKING_ARTIFACTS).as_uri()
        return MlflowTracker(MlflowServer(_embedded(storage), storage, EMBEDDED, artifacts))
    _require_address(uri)
    try:
        client = MlflowClient(uri)
        server = MlflowServer(client, storage, hashlib.sha256(uri.encode()).hexdigest()[:16], None)
        with translate_errors():
            client.search_experiments(max_results=1)
            _require_mlflow(server)
    except TrackerAwayError as error:
        raise InputError(f"{_MUST_ANSWER}: {error}", place=uri, way_out=_AWAY) from error
    except (TrackerDeniedError, TrackerRefusedError) as error:
        raise InputError(f"{_MUST_ANSWER}: {error}", place=uri, way_out=_DENIED) from error
    except Exception as error:  # of MLflow's plug-ins and of drivers of databases, which raise what they like
        raise InputError(f"{_MUST_ANSWER}: {plain_words(error)}", place=uri, way_out=_DENIED) from error
    return MlflowTracker(server)


def _require_address(uri: str) -> None:
    """Raise InputError for what MLflow would take as a folder of its old file store, which it would make."""
    scheme = uri.split("://")[0] if "://" in uri else uri.split(":")[0] if uri.startswith(("databricks", "uc:")) else ""
    if not scheme:
        near = f"http://{uri}" if re.fullmatch(r"[\w.-]+(:\d+)?(/\S*)?", uri) else "http://HOST:PORT"
        raise InputError(
            f"the tracking server must be given with its scheme, but got {uri!r}",
            key="--tracking-uri",
            way_out=f"Write {near}, or sqlite:///PATH for a database; without the option, the storage has its own.",
        )


def _require_mlflow(server: MlflowServer) -> None:
    """Raise a denial unless the address is one of MLflow, as far as that can be told."""
    if server.uri.startswith("http") and (version := server.version()) and not re.match(r"\d+\.\d+", version):
        raise TrackerDeniedError("it answers with a page, not as an MLflow server does")


def _embedded(storage: Path) -> MlflowClient:
    prepare_embedded(storage)
    client = MlflowClient(embedded_uri(storage))
    client.search_experiments(max_results=1)
    return client


def open_command(tracker: MlflowTracker) -> str:
    """Say how to see the study in MLflow: by a command for the embedded database, else by a link."""
    if tracker.server != EMBEDDED:
        shown = without_credentials(tracker.uri)
        return f"MLflow: {tracker.link(shown)}" if shown.startswith("http") else f"MLflow: {shown}"
    opened = [tracker.study] if tracker.study is not None else []
    command = own_command("open", *opened, "--storage", str(tracker.storage))
    where = _from_afar(tracker.storage) if in_job() else ""
    return f"To open MLflow:  {command}{where}\nArtifacts are in {tracker.storage / layout.TRACKING_ARTIFACTS}"


def _from_afar(storage: Path) -> str:
    """Say how a user opens the database of a job, who sits at another machine than the one that says it."""
    host = socket.gethostname()
    return (
        f"\nThis is a job on {host}: `ablate open` works wherever {storage} is mounted; run on {host}, its link opens"
        f" on your machine after:  ssh -L 5000:127.0.0.1:5000 {host}"
    )
