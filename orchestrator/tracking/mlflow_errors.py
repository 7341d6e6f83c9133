"""Translate MLflow's errors into the two that the uploader tells apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.exceptions import MlflowException

from orchestrator.tracking.tracker import TrackerAwayError, TrackerRefusedError
from search_spaces.error_text import first_line

REFUSALS = {
    "BAD_REQUEST",
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
}
"""MLflow's error codes that another attempt would meet again; everything else may pass."""


MESSAGE_SIZE = 300
"""Characters kept of a message: some are whole pages of HTML."""


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise errors of MLflow, its database and its artifact store as the two that the uploader tells apart."""
    try:
        yield
    except FileNotFoundError as error:
        raise TrackerRefusedError(first_line(error)[:MESSAGE_SIZE]) from error
    except MlflowException as error:
        if error.error_code in REFUSALS:
            raise TrackerRefusedError(first_line(error)[:MESSAGE_SIZE]) from error
        raise TrackerAwayError(first_line(error)[:MESSAGE_SIZE]) from error
    except (TrackerAwayError, TrackerRefusedError):
        raise
    except OSError as error:  # requests' errors are OSErrors, too
        raise TrackerAwayError(first_line(error)[:MESSAGE_SIZE]) from error
