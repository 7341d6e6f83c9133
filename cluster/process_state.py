"""Environment variables and loggers of this process, changed for a while and put back."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TextIO


@contextmanager
def set_environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    """Set environment variables (None: absent) while the block runs; afterwards each is as it was before."""
    before = {name: os.environ.get(name) for name in variables}
    _assign(variables)
    try:
        yield
    finally:
        _assign(before)


def _assign(variables: Mapping[str, str | None]) -> None:
    """Set environment variables, and remove those whose value is None."""
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def hide_ray_notices() -> Iterator[None]:
    """Keep Ray's notices from the terminal while the block runs: that it has a token, that a worker has died."""
    from ray._private import worker

    logger = logging.getLogger("ray")
    before = logger.level
    logger.setLevel(logging.ERROR)
    worker._worker_logs_enabled = False
    try:
        yield
    finally:
        worker._worker_logs_enabled = True
        logger.setLevel(before)


class _LossyHandler(logging.StreamHandler[TextIO]):
    """A handler that drops what its file does not take, on a full disk say: a log must not write to the terminal."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name is logging's
        """Do nothing."""


@contextmanager
def log_to(log: TextIO, names: Sequence[str]) -> Iterator[None]:
    """Write what these loggers, their children and Python's warnings say to a file while the block runs.

    Args:
        log: open for writing; the caller closes it.
        names: of top-level loggers. Children that have handlers of their own (Ray gives some of its loggers one) lose
            them meanwhile, or they would still write to the terminal.
    """
    handler = _LossyHandler(log)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    tops = (*names, "py.warnings")
    children = [name for name in logging.root.manager.loggerDict if name.startswith(tuple(f"{top}." for top in names))]
    loggers = [logging.getLogger(name) for name in (*tops, *children)]
    before = [(logger, logger.handlers, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = ([handler], False) if logger.name in tops else ([], True)
    with warnings.catch_warnings():
        logging.captureWarnings(True)
        try:
            yield
        finally:
            logging.captureWarnings(False)
            for logger, handlers, propagate in before:
                logger.handlers, logger.propagate = handlers, propagate
            handler.close()
