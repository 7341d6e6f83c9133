"""Make the embedded MLflow database, or bring one of an older MLflow to the schema of this one.

Both take hundreds of steps that are no one transaction: a process that is killed among them leaves tables that MLflow
can neither use nor complete. So the database is made aside, checked, flushed and renamed, as every other file of a
storage; `mlflow.db` is always one that a killed process has not touched, or a whole one. The database of an older
MLflow is kept beside it under the name of its schema.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import metadata
from pathlib import Path

import filelock
from mlflow.store.db import utils as database
from sqlalchemy.engine import URL, make_url

from orchestrator.tracking.mlflow_errors import MESSAGE_SIZE
from search_spaces.error_text import first_line
from search_spaces.errors import InputError
from search_spaces.full_storage import is_full
from trainables.storage import layout
from trainables.storage.flush import flush_entry
from trainables.storage.store import ASIDE

BUSY_S = 60.0
"""Seconds to wait for another process that reads or writes the database."""

_OF_SQLITE = ("-journal", "-wal", "-shm")
"""Endings of the files in which SQLite keeps what is not yet in a database: worthless, and harmful, beside another."""


def embedded_uri(storage: Path) -> str:
    """Return the address of the embedded database of a storage."""
    return _uri(storage / layout.TRACKING_DATABASE)


def prepare_embedded(storage: Path) -> None:
    """Make the embedded database of a storage if it is not there, and bring an older one to this MLflow's schema.

    A process that is killed at any moment of it leaves the storage as it was, apart from files that the next call
    removes. Only one process at a time does it.

    Raises:
        InputError: if the database is damaged, is one of a newer MLflow, is held by another program, or lies on a file
            system without locks.
    """
    path = storage / layout.TRACKING_DATABASE
    path.parent.mkdir(parents=True, exist_ok=True)
    with _lock(f"{path}.lock"):
        for left in path.parent.glob(f".{path.name}.*{ASIDE}*"):
            left.unlink(missing_ok=True)
        if _is_empty(path):
            _make(path)
        elif (revision := _revision(path)) != database._get_latest_schema_revision():
            _upgrade(path, revision)


def first_step(storage: Path) -> str | None:
    """Say what a run does with the embedded database of a storage first; None if it is ready. Nothing is changed.

    Raises InputError if the database is damaged or is held by another program.
    """
    path = storage / layout.TRACKING_DATABASE
    if _is_empty(path):
        return "a run makes it"
    return (
        None if _revision(path) == database._get_latest_schema_revision() else "a run brings it to this MLflow's schema"
    )


def _uri(path: Path) -> str:
    """Return the address of a database, quoted where its path has characters with a meaning in one.

    MLflow makes the folder of what it takes for the path of an address that begins with `sqlite:///`, and would make
    one of the quoted name; with the driver named, it leaves that to the caller.
    """
    plain = f"sqlite:///{path}"
    quoted = URL.create("sqlite+pysqlite", database=str(path)).render_as_string()
    return plain if make_url(plain).database == str(path) else quoted


def _is_empty(path: Path) -> bool:
    """Check whether a database has no tables, or is not there. Raises InputError if SQLite cannot read it."""
    if not path.exists() or not path.stat().st_size:
        return True
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_S)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    except sqlite3.OperationalError as error:
        raise _in_use(path, error) from error
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"the tracking database must be one of SQLite that can be read, but: {error}",
            place=str(path),
            way_out="Move it away and run `ablate sync`: it is written anew from what storage keeps of every trial.",
        ) from error
    return all(name.startswith(("alembic_", "sqlite_")) for (name,) in tables)


def _revision(path: Path) -> str | None:
    """Read which revision of MLflow's schema a database has; None if it says none."""
    engine = database.create_sqlalchemy_engine_with_retry(_uri(path))
    try:
        revision: str | None = database._get_schema_version(engine)
        return revision
    finally:
        engine.dispose()


def _make(path: Path) -> None:
    """Make an empty database in the place of none, of an empty one or of one that a kill has left half-made."""
    with _aside(path) as aside:
        _migrate(aside, is_new=True)
        _put_in_place(aside, path)


def _upgrade(path: Path, revision: str | None) -> None:
    """Bring a database to this MLflow's schema while nobody else writes to it; the old one is kept beside it."""
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")  # else what is in its log would be left behind
            connection.execute("BEGIN IMMEDIATE")  # others may read, and wait when they want to write
            with _aside(path) as aside:
                with closing(sqlite3.connect(path)) as reader, closing(sqlite3.connect(aside)) as copy:
                    reader.backup(copy)
                with _aside(path) as kept:
                    shutil.copyfile(aside, kept)
                    _put_in_place(kept, path.with_name(f"{path.name}.{revision or 'half-made'}"))
                _migrate(aside, is_new=revision is None)
                _put_in_place(aside, path)
    except Exception as error:  # alembic has no base class for what it raises
        if is_full(error):
            raise
        if _is_busy(error):
            raise _in_use(path, error) from error
        if revision in _known_revisions() and not _has_runs(path):  # another version was killed while it made it
            return _make(path)
        raise InputError(
            f"the tracking database must have a schema that MLflow {metadata.version('mlflow')} knows, but: "
            f"{first_line(error)[:MESSAGE_SIZE]}",
            place=str(path),
            way_out="Use the MLflow that wrote it, or move it away and run `ablate sync`.",
        ) from error


def _migrate(path: Path, *, is_new: bool) -> None:
    """Bring a database that nobody else has open to this MLflow's schema, and check that it is whole."""
    engine = database.create_sqlalchemy_engine_with_retry(_uri(path))
    try:
        if is_new:
            database._safe_initialize_tables(engine)
        else:
            database._upgrade_db(engine)  # what `mlflow db upgrade` does
        database._verify_schema(engine)
    finally:
        engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        (answer,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if answer != "ok":
        raise sqlite3.DatabaseError(f"the migrated database is not complete: {answer}")


def _put_in_place(aside: Path, path: Path) -> None:
    """Give a finished database its name. What SQLite had kept beside an earlier one of that name goes first."""
    for ending in _OF_SQLITE:
        path.with_name(path.name + ending).unlink(missing_ok=True)
    flush_entry(aside)
    os.replace(aside, path)
    flush_entry(path.parent)


def _known_revisions() -> set[str | None]:
    script = database.ScriptDirectory.from_config(database._get_alembic_config(db_url=""))
    return {None, *(revision.revision for revision in script.walk_revisions())}


def _has_runs(path: Path) -> bool:
    """Check whether any run was ever written to a database."""
    with closing(sqlite3.connect(path, timeout=BUSY_S)) as connection:
        has_table = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'runs'").fetchone()
        return bool(has_table and connection.execute("SELECT 1 FROM runs LIMIT 1").fetchone())


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def _in_use(path: Path, error: BaseException) -> InputError:
    return InputError(
        f"the tracking database must be free for a moment, but: {first_line(error)}",
        place=str(path),
        way_out="End what has it open (`mlflow ui`, a database browser), or use --offline: `ablate sync` sends later.",
    )


@contextmanager
def _aside(path: Path) -> Iterator[Path]:
    """Provide a path beside a database for one that is being made; what is left there in the end is removed."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(6)}{ASIDE}")
    try:
        yield aside
    finally:
        for ending in ("", *_OF_SQLITE):
            aside.with_name(aside.name + ending).unlink(missing_ok=True)


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
