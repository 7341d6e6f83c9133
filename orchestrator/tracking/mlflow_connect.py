"""Open an MLflow tracker: a server's, or the database embedded in the storage."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import metadata
from pathlib import Path

import filelock
from mlflow import MlflowClient
from mlflow.store.db import utils as database
from sqlalchemy.engine import URL, make_url

from orchestrator.tracking.mlflow_errors import MESSAGE_SIZE, plain_words, translate_errors
from orchestrator.tracking.mlflow_server import MlflowServer
from orchestrator.tracking.mlflow_tracker import MlflowTracker
from orchestrator.tracking.tracker import TrackerAwayError, TrackerDeniedError, TrackerRefusedError
from search_spaces.error_text import first_line
from search_spaces.errors import InputError
from search_spaces.full_storage import is_full
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


def embedded_uri(storage: Path) -> str:
    """Return the address of the embedded database, quoted where its path has characters with a meaning in one.

    MLflow makes the folder of what it takes for the path of an address that begins with `sqlite:///`, and would make
    one of the quoted name; with the driver named, it leaves that to the caller.
    """
    path = str(storage / layout.TRACKING_DATABASE)
    plain = f"sqlite:///{path}"
    return (
        plain if make_url(plain).database == path else URL.create("sqlite+pysqlite", database=path).render_as_string()
    )


def _embedded(storage: Path) -> MlflowClient:
    """Open the embedded database, made or brought to this MLflow's schema while no other process does so."""
    path = storage / layout.TRACKING_DATABASE
    path.parent.mkdir(parents=True, exist_ok=True)
    with _lock(f"{path}.lock"):
        if path.exists():
            _require_database(path)
            engine = database.create_sqlalchemy_engine_with_retry(embedded_uri(storage))
            try:
                if database._get_schema_version(engine) not in (None, database._get_latest_schema_revision()):
                    database._upgrade_db(engine)  # what `mlflow db upgrade` does
            except Exception as error:  # alembic has no base class for what it raises
                law = f"the tracking database must have a schema that MLflow {metadata.version('mlflow')} knows"
                way_out = "Use the MLflow that wrote it, or move it away and run `ablate sync`."
                raise InputError(
                    f"{law}, but: {first_line(error)[:MESSAGE_SIZE]}", place=str(path), way_out=way_out
                ) from error
            finally:
                engine.dispose()
        client = MlflowClient(embedded_uri(storage))
        client.search_experiments(max_results=1)
    return client


@contextmanager
def _lock(name: str) -> Iterator[None]:
    """Hold a file's lock while the block runs. Raises InputError where the file system has none."""
    lock = filelock.FileLock(name)
    try:
        lock.acquire()
    except (OSError, NotImplementedError) as error:
        if is_full(error):
            raise
        raise InputError(
            f"the file system must have locks for the tracking database, but: {first_line(error)}",
            place=name,
            way_out="Give the address of an MLflow server with --tracking-uri, or use --offline.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _require_database(path: Path) -> None:
    """Raise InputError unless SQLite can open a file: MLflow would say so seconds later, and not which file."""
    try:
        with closing(sqlite3.connect(path, timeout=60)) as connection:
            connection.execute("PRAGMA schema_version")
    except sqlite3.OperationalError:  # another process has it: MLflow waits and says so
        return
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"the tracking database must be one of SQLite that can be read, but: {error}",
            place=str(path),
            way_out="Move it away and run `ablate sync`: it is written anew from what storage keeps of every trial.",
        ) from error


def open_command(tracker: MlflowTracker) -> str:
    """Say how to see the study in MLflow: by a command for the embedded database, else by a link."""
    if tracker.server != EMBEDDED:
        return f"MLflow: {tracker.link(tracker.uri)}" if tracker.uri.startswith("http") else f"MLflow: {tracker.uri}"
    return (
        f"To open MLflow:  mlflow ui --backend-store-uri {shlex.quote(tracker.uri)} --host 127.0.0.1 --port 5000 "
        "--workers 1\n"
        f"and then:        {tracker.link('http://127.0.0.1:5000')}\n"
        f"Artifacts are in {tracker.storage / layout.TRACKING_ARTIFACTS}"
    )
