"""A server that will never take something is told from one that is away, by what it answers."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from orchestrator.tracking.mlflow_connect import open_tracker
from orchestrator.tracking.mlflow_errors import plain_words, translate_artifact_errors, translate_errors
from orchestrator.tracking.mlflow_server import MlflowServer
from orchestrator.tracking.tracker import (
    TrackerAwayError,
    TrackerDeniedError,
    TrackerGoneError,
    TrackerRefusedError,
)
from search_spaces.errors import InputError
from tests.support.fake_server import Response, fake_server

HTML = "<html><head><title>Sign in</title></head><body>Sign in to go on</body></html>"


def said(code: str, message: str = "no") -> str:
    return json.dumps({"error_code": code, "message": message})


@pytest.fixture(autouse=True)
def _one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Response(401, said("UNAUTHENTICATED")), TrackerDeniedError),
        (Response(401, HTML, "text/html"), TrackerDeniedError),
        (Response(403, said("PERMISSION_DENIED")), TrackerDeniedError),
        (
            Response(403, "Invalid Host header - possible DNS rebinding attack", "text/plain"),
            TrackerDeniedError,
        ),
        (Response(403, '{"message": "Forbidden"}'), TrackerDeniedError),
        (Response(407, HTML, "text/html"), TrackerDeniedError),
        (Response(200, HTML, "text/html"), TrackerDeniedError),
        (Response(404, said("RESOURCE_DOES_NOT_EXIST")), TrackerGoneError),
        (Response(404, HTML, "text/html"), TrackerGoneError),
        (Response(400, said("INVALID_PARAMETER_VALUE", "The run x must be in the 'active' state")), TrackerGoneError),
        (Response(400, said("INVALID_PARAMETER_VALUE", "bad name")), TrackerRefusedError),
        (Response(413, HTML, "text/html"), TrackerRefusedError),
        (Response(422, '{"detail": "no"}'), TrackerRefusedError),
        (Response(429, "{}"), TrackerAwayError),
        (Response(408, "{}"), TrackerAwayError),
        (Response(502, HTML, "text/html"), TrackerAwayError),
        (Response(503, said("TEMPORARILY_UNAVAILABLE")), TrackerAwayError),
        (Response(504, HTML, "text/html"), TrackerAwayError),
    ],
)
def test_status_and_body_decide(response: Response, expected: type[Exception], tmp_path: Path) -> None:
    with fake_server(lambda path: response) as address:
        server = opened(address, tmp_path)
        with pytest.raises(expected) as raised, server.translate_errors():
            server.client.log_metric("0" * 32, "train/loss", 1.0)
    if expected is TrackerRefusedError:
        assert not isinstance(raised.value, TrackerGoneError)
    assert "object at 0x" not in str(raised.value)
    assert "<html" not in str(raised.value)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (said("INTERNAL_ERROR", "(sqlite3.OperationalError) attempt to write a readonly database"), TrackerDeniedError),
        (said("INTERNAL_ERROR", "cannot execute INSERT in a read-only transaction"), TrackerDeniedError),
        (said("INTERNAL_ERROR", "database is locked"), TrackerAwayError),
        (HTML, TrackerAwayError),
        (None, TrackerRefusedError),
    ],
    ids=["read-only SQLite", "read-only Postgres", "locked", "a page", "writes other things"],
)
def test_after_a_500_the_server_is_asked_why(body: str | None, expected: type[Exception], tmp_path: Path) -> None:
    """MLflow keeps nothing of what a server says with a 500; whether that writes anything at all is asked for."""

    def answer(path: str) -> Response:
        is_probe = path.endswith("set-experiment-tag")
        return Response(200) if is_probe and body is None else Response(500, body or "{}")

    with fake_server(answer) as address:
        server = opened(address, tmp_path)
        with pytest.raises(expected), server.translate_errors():
            server.client.log_metric("0" * 32, "train/loss", 1.0)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.ENOSPC, errno.EIO])
def test_a_file_that_cannot_be_written_is_refused_and_no_outage(number: int) -> None:
    with pytest.raises(TrackerRefusedError, match=r"/art/spec\.json"), translate_artifact_errors(lambda: True):
        raise OSError(number, "no", "/art/spec.json")


def test_an_artifact_store_that_raises_what_it_likes_refuses() -> None:
    class ClientError(Exception):
        """As boto3 raises it."""

    with pytest.raises(TrackerRefusedError, match="AccessDenied"), translate_artifact_errors(lambda: True):
        raise ClientError("An error occurred (AccessDenied) when calling the PutObject operation: Access Denied")


@pytest.mark.parametrize(("answers", "expected"), [(True, TrackerRefusedError), (False, TrackerAwayError)])
def test_an_artifact_store_is_away_alone_or_with_its_server(answers: bool, expected: type[Exception]) -> None:
    with pytest.raises(expected) as raised, translate_artifact_errors(lambda: answers):
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    assert getattr(raised.value, "passing", True)


def test_a_closed_port_is_away_and_said_without_addresses_of_objects(tmp_path: Path) -> None:
    with fake_server(lambda path: Response(200)) as address:
        pass
    server = opened(address, tmp_path)
    with pytest.raises(TrackerAwayError) as raised, server.translate_errors():
        server.client.search_experiments()
    assert str(raised.value) == f"[Errno {errno.ECONNREFUSED}] Connection refused"


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("127.0.0.1:5000", "Write http://127.0.0.1:5000"),
        ("./mlruns", "sqlite:///PATH"),
        ("foo://somewhere", "foo"),
        ("http://", ""),
        ("sqlite:////proc/no/where.db", ""),
        ("postgresql://127.0.0.1:1/db", ""),
    ],
)
def test_an_address_that_cannot_be_one_is_refused_at_start(uri: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        open_tracker(uri, tmp_path)
    assert uri in str(refused.value)
    assert words in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "response",
    [
        Response(200, HTML, "text/html"),
        Response(403, HTML, "text/html"),
        Response(404, HTML, "text/html"),
        Response(500),
    ],
    ids=["page", "forbidden", "not there", "broken"],
)
def test_another_web_server_is_refused_at_start(response: Response, tmp_path: Path) -> None:
    with fake_server(lambda path: response) as address, pytest.raises(InputError) as refused:
        open_tracker(address, tmp_path)
    assert refused.value.place == address
    assert "--offline" in str(refused.value)
    assert "<html" not in str(refused.value)


def test_plain_http_behind_https_is_told_by_name(tmp_path: Path) -> None:
    with fake_server(lambda path: Response(200)) as address, pytest.raises(InputError, match="SSL"):
        open_tracker(address.replace("http:", "https:"), tmp_path)


def test_errors_of_the_replay_itself_pass_through() -> None:
    with pytest.raises(TrackerGoneError, match="gone"), translate_errors():
        raise TrackerGoneError("gone")


def opened(address: str, storage: Path) -> MlflowServer:
    """Make a server whose experiment is known."""
    harmless = "experiments/set-experiment-tag", {"experiment_id": "1", "key": "ablate.storage", "value": "00000000"}
    return MlflowServer(MlflowClient(address), storage, "fake", None, harmless)


def test_plain_words_of_a_full_disk_under_the_database_are_sqlites() -> None:
    text = "(raised as a result of Query-invoked autoflush)\n(sqlite3) database or disk is full\n[SQL: ...]"
    assert plain_words(MlflowException(text)) == "database or disk is full"
