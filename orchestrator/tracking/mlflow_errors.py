"""Translate errors of MLflow, its database and its artifact stores into what a replay can do about them.

MLflow gives most failures one type, and after its retries it has lost what the server said. So the HTTP status is
looked for in the error; where there is none, or only "too many 500 error responses", the server is asked to write
something harmless (`Probe`), and its answer to that decides.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

import requests
from google.protobuf.json_format import ParseError
from mlflow.exceptions import MlflowException, RestException
from sqlalchemy.exc import SQLAlchemyError

from orchestrator.tracking.tracker import (
    TrackerAwayError,
    TrackerDeniedError,
    TrackerGoneError,
    TrackerRefusedError,
)
from search_spaces.credentials import without_credentials
from search_spaces.error_text import first_line

MESSAGE_SIZE = 300
"""Characters kept of a message: some are whole pages of HTML."""

PASSING = {408, 409, 425, 429, 499, 500, 502, 503, 504, 507, 508, 509, 520, 521, 522, 523, 524, 525, 527, 529, 530, 599}
"""HTTP statuses after which the same request may succeed. 52x are of Cloudflare, 529 and 530 of other proxies."""

OF_CONTENT = {400, 405, 406, 411, 413, 414, 415, 416, 417, 422, 431, 501, 505}
"""HTTP statuses that speak of one request: others may be taken."""

_STATUS = re.compile(
    r"failed with error code (\d{3}) !=|too many (\d{3}) error responses|^(\d{3}) (?:Client|Server) Error"
)
_NOT_ACTIVE = re.compile(r"must be in (?:the )?'?active'?|lifecycle_stage='?deleted", re.IGNORECASE)
_LASTING = re.compile(
    r"read-?only|permission denied|access denied|insufficient privilege|no such table|no such column"
    r"|relation \S+ does not exist|unknown database|out-of-date database schema|password authentication failed"
    r"|unable to open database file|file is not a database|disk image is malformed",
    re.IGNORECASE,
)
_BAD_ADDRESS = re.compile(
    r"SSLError|SSL: |CERTIFICATE_VERIFY_FAILED|WRONG_VERSION_NUMBER|not in a valid JSON format|Invalid ?URL"
    r"|No connection adapters|No scheme supplied|InvalidSchema|LocationParseError|Exceeded \d+ redirects",
    re.IGNORECASE,
)
_SAID = re.compile(
    r"(\[SSL: \w+\][^()'\"]*|\[Errno -?\d+\] [^()'\">]+|Failed to resolve '[^']*'|[Rr]ead timed out|timed out"
    r"|Remote end closed connection without response|Connection reset by peer|Connection aborted)"
)
_SAID_BY_SQLITE = re.compile(r"database or disk is full|database is locked|disk I/O error")
_LASTING_ERRNO = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.ENAMETOOLONG, errno.ELOOP,
    errno.EINVAL,
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """Answer of a server to a request that was sent to learn why others fail."""

    status: int
    text: str


Probe = Callable[[], Answer | None]
"""Asks a server to write something harmless, and returns its answer; None where there is none."""


def no_probe() -> None:
    """Ask nothing."""


@contextmanager
def translate_errors(probe: Probe = no_probe) -> Iterator[None]:
    """Raise errors as `TrackerAwayError`, `TrackerDeniedError`, `TrackerGoneError` or `TrackerRefusedError`."""
    try:
        yield
    except (TrackerAwayError, TrackerDeniedError, TrackerRefusedError):
        raise
    except (json.JSONDecodeError, ParseError) as error:
        raise TrackerDeniedError(f"its answer cannot be read: {plain_words(error)}") from error
    except (MlflowException, SQLAlchemyError, OSError) as error:  # those of requests are OSErrors, too
        raise translated(error, probe) from error


@contextmanager
def translate_artifact_errors(server_answers: Callable[[], bool]) -> Iterator[None]:
    """Raise whatever fails in an artifact store as a refusal of the artifact: the server takes everything else.

    Artifact stores are those of clouds and of file systems, and raise what they like.

    Args:
        server_answers: asks the tracking server for something.

    Raises:
        TrackerAwayError: the tracking server does not answer either.
        TrackerRefusedError: the artifact was not taken; `passing` says whether it may be later.
    """
    try:
        yield
    except Exception as error:
        known = isinstance(error, (TrackerAwayError, TrackerDeniedError, TrackerRefusedError))
        made = error if known else translated(error, no_probe)
        if isinstance(made, TrackerAwayError) and not server_answers():
            raise made from error
        is_passing = isinstance(made, TrackerAwayError) and _status(error) not in (500, 507)
        raise TrackerRefusedError(str(made), cause=cause_of(error), passing=is_passing) from error


def translated(error: Exception, probe: Probe) -> Exception:
    """Return the error that says what a replay can do about `error`.

    Args:
        error: of MLflow, requests, a database or a file system.
        probe: asked where the error does not tell.
    """
    text, status = str(error), _status(error)
    if _NOT_ACTIVE.search(text):
        return TrackerGoneError(plain_words(error), cause="deleted")
    if _BAD_ADDRESS.search(text):
        return TrackerDeniedError(plain_words(error))
    if _LASTING.search(text) and (status is None or status >= 500):
        return TrackerDeniedError(plain_words(error))
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        kind = TrackerDeniedError if error.errno in _LASTING_ERRNO else TrackerAwayError
        return kind(plain_words(error))
    if status is not None and not 500 <= status < 600:
        return _of_status(status, error)
    answer = probe() if status is not None or isinstance(error, RestException) else None
    if answer is None:
        if getattr(error, "error_code", "") == "INVALID_STATE" or status == 501:
            return TrackerRefusedError(plain_words(error), cause=cause_of(error))
        return TrackerAwayError(plain_words(error))
    if answer.status < 400 or answer.status in OF_CONTENT:  # it writes, but not this
        return TrackerRefusedError(plain_words(error), cause=cause_of(error), passing=True)
    said = _words_of_answer(answer)
    if _LASTING.search(answer.text):
        return TrackerDeniedError(said)
    if answer.status in PASSING:
        return TrackerAwayError(said)
    return TrackerDeniedError(said)


def _of_status(status: int, error: Exception) -> Exception:
    words = plain_words(error)
    if status in PASSING:
        return TrackerAwayError(words)
    if status in (404, 410):
        return TrackerGoneError(words, cause=cause_of(error))
    if status in OF_CONTENT:
        return TrackerRefusedError(words, cause=cause_of(error))
    return TrackerDeniedError(words)


def _status(error: Exception) -> int | None:
    """Find the HTTP status behind an error; None where there was no answer, or where MLflow has lost its status."""
    response = getattr(error, "response", None)
    if response is not None and hasattr(response, "status_code"):
        return int(response.status_code)
    if match := _STATUS.search(str(error)):
        return int(next(filter(None, match.groups())))
    if isinstance(error, MlflowException) and error.error_code != "INTERNAL_ERROR":
        return int(error.get_http_status_code())
    return None


def cause_of(error: Exception) -> str:
    """Name what errors with one cause have in common: their status, code or type, without names of runs or files."""
    status = _status(error)
    if status is not None:
        return str(status)
    return errno.errorcode.get(getattr(error, "errno", None) or 0, type(error).__name__)


def plain_words(error: Exception) -> str:
    """Say an error in one line: the status or the system's own words, without addresses of objects, HTML or secrets."""
    return without_credentials(_plain_words(error))


def _plain_words(error: Exception) -> str:
    text, status = str(error), _status(error)
    said = _SAID.search(text)
    if in_sqlite := _SAID_BY_SQLITE.search(text):
        return in_sqlite[0]
    if isinstance(error, RestException):
        words = str(error.json.get("message") or error.json.get("detail") or error.error_code)
        return f"it answers {words}"[:MESSAGE_SIZE].splitlines()[0]
    if "not in a valid JSON format" in text:
        return "it answers with a page, not as an MLflow server does"
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.strerror}: {error.filename}"[:MESSAGE_SIZE]
    if status is not None and not isinstance(error, MlflowException | SQLAlchemyError):
        return f"it answers {_phrase(status)}"
    if status is not None and _STATUS.search(text):
        return f"it answers {_phrase(status)}"
    if said is not None and isinstance(error, MlflowException | requests.RequestException):
        return said[1].strip()
    if isinstance(error, ImportError):
        return f"the Python package {error.name or first_line(error)} is not installed here"
    without_addresses = re.sub(r"<[^<>]* at 0x[0-9a-f]+>:? ?", "", first_line(error))
    return without_addresses[:MESSAGE_SIZE]


def _words_of_answer(answer: Answer) -> str:
    try:
        message = json.loads(answer.text)["message"]
    except (ValueError, KeyError, TypeError):
        return f"it answers {_phrase(answer.status)}"
    return f"it answers {_phrase(answer.status)}: {first_line(str(message))}"[:MESSAGE_SIZE]


def _phrase(status: int) -> str:
    try:
        return f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return str(status)
