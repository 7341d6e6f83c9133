"""A kill while the embedded database is made or upgraded leaves a storage that the next command can use."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from mlflow.store.db import utils as database

from orchestrator.tracking.embedded_database import embedded_uri, prepare_embedded
from search_spaces.errors import InputError
from tests.support.clean_process import exit_code, started
from tests.support.killed_process import kill_at, operations_of
from trainables.storage import layout

KILLS = 5
"""Places of the kills, spread evenly; `BROKEN_INPUTS_TIMES` multiplies them."""


def places(operations: int) -> list[int]:
    """Choose where to kill: the first operation, the last, and some between."""
    number = KILLS * int(os.environ.get("BROKEN_INPUTS_TIMES", "1"))
    return sorted({round(at * (operations - 1) / (number - 1)) for at in range(number)})


def read(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def revision(path: Path) -> object:
    return read(path, "SELECT version_num FROM alembic_version")[0][0]


def is_whole(path: Path) -> bool:
    return read(path, "PRAGMA integrity_check") == [("ok",)]


def names(storage: Path) -> set[str]:
    return {entry.name for entry in (storage / layout.TRACKING).iterdir()} - {"mlflow.db.lock"}


@pytest.fixture(scope="module")
def newest() -> object:
    return database._get_latest_schema_revision()


def older_database(path: Path) -> str:
    """Make the database of an MLflow three changes of the schema ago, with a run in it; returns its revision."""
    from alembic import command

    path.parent.mkdir(parents=True)
    engine = database.create_sqlalchemy_engine_with_retry(f"sqlite:///{path}")
    config = database._get_alembic_config(f"sqlite:///{path}")
    old = [entry.revision for entry in database.ScriptDirectory.from_config(config).walk_revisions()][3]
    database.InitialBase.metadata.create_all(engine)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, old)
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO experiments (experiment_id, name) VALUES (7, 'kept')")
        connection.execute("INSERT INTO runs (run_uuid, experiment_id) VALUES ('abc', 7)")
        connection.commit()
    return old


def test_a_kill_while_the_database_is_made_leaves_none_or_a_whole_one(tmp_path: Path, newest: object) -> None:
    undisturbed, storage = tmp_path / "undisturbed", tmp_path / "killed"
    for folder in (undisturbed, storage):
        (folder / layout.TRACKING).mkdir(parents=True)
    path = storage / layout.TRACKING_DATABASE
    for at in places(operations_of(partial(prepare_embedded, undisturbed))):
        kill_at(at, partial(prepare_embedded, storage))
        if path.exists():
            assert is_whole(path)
            assert revision(path) == newest
            path.unlink()
    prepare_embedded(storage)
    assert revision(path) == newest
    assert names(storage) == {"mlflow.db"}


def test_a_kill_while_an_older_database_is_upgraded_leaves_the_old_or_the_new_one_with_its_runs(
    tmp_path: Path, newest: object
) -> None:
    undisturbed, storage = tmp_path / "undisturbed", tmp_path / "killed"
    older_database(undisturbed / layout.TRACKING_DATABASE)
    path = storage / layout.TRACKING_DATABASE
    old = older_database(path)
    content = path.read_bytes()
    for at in places(operations_of(partial(prepare_embedded, undisturbed))):
        kill_at(at, partial(prepare_embedded, storage))
        assert is_whole(path)
        assert revision(path) in (old, newest)
        assert read(path, "SELECT run_uuid FROM runs") == [("abc",)]
        path.write_bytes(content)
    prepare_embedded(storage)
    assert revision(path) == newest
    assert read(path, "SELECT run_uuid FROM runs") == [("abc",)]
    assert names(storage) == {"mlflow.db", f"mlflow.db.{old}"}
    assert revision(path.with_name(f"mlflow.db.{old}")) == old


def test_processes_that_make_it_at_once_make_one(tmp_path: Path, newest: object) -> None:
    processes = [started(prepare_embedded, tmp_path) for _ in range(3)]
    assert [exit_code(process) for process in processes] == [0, 0, 0]
    assert revision(tmp_path / layout.TRACKING_DATABASE) == newest
    assert names(tmp_path) == {"mlflow.db"}


def test_a_database_that_an_earlier_version_left_half_made_is_made_anew(tmp_path: Path, newest: object) -> None:
    path = tmp_path / layout.TRACKING_DATABASE
    older_database(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM runs")
        connection.execute("CREATE TABLE scorers (a)" if not _has(path, "scorers") else "DROP TABLE scorers")
        connection.execute("DELETE FROM alembic_version")
        connection.commit()
    prepare_embedded(tmp_path)
    assert revision(path) == newest


def _has(path: Path, table: str) -> bool:
    return bool(read(path, f"SELECT 1 FROM sqlite_master WHERE name = '{table}'"))


def test_a_half_made_database_with_runs_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / layout.TRACKING_DATABASE
    older_database(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM alembic_version")
        connection.commit()
    with pytest.raises(InputError, match=r"must have a schema that MLflow(?s:.*)ablate sync"):
        prepare_embedded(tmp_path)
    assert read(path, "SELECT run_uuid FROM runs") == [("abc",)]


def test_what_sqlite_left_beside_a_database_that_was_moved_away_does_not_get_into_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / layout.TRACKING_DATABASE
    path.parent.mkdir()
    for ending in ("-journal", "-wal", "-shm"):
        path.with_name(path.name + ending).write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(1000))
    prepare_embedded(tmp_path)
    assert names(tmp_path) == {"mlflow.db"}
    assert is_whole(path)


def test_a_database_that_another_program_is_writing_is_left_and_the_program_named_as_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.tracking.embedded_database.BUSY_S", 0.01)
    path = tmp_path / layout.TRACKING_DATABASE
    old = older_database(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InputError, match=r"must be free for a moment(?s:.*)mlflow ui"):
            prepare_embedded(tmp_path)
        other.execute("ROLLBACK")
    assert revision(path) == old
    assert embedded_uri(tmp_path).endswith(layout.TRACKING_DATABASE)
