"""Read the failed attempts of trials from storage, and say in words what failed and where."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from search_spaces.error_text import first_line
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo
from trainables.storage.records import Failure
from trainables.storage.store import Store

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_PATH = re.compile(r"(?<!\w)/[^\s:,;]+")
_NUMBER = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+(\.\d+)?")
_FRAME = re.compile(r'^ *File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>\S+)', re.MULTILINE)


def read_failures(store: Store, study: str, trial: str) -> tuple[Failure, ...]:
    """Read all failed attempts of a trial, the first one first: also those that were followed by another attempt.

    One that is damaged is left out, and a warning names it.

    Args:
        store: the storage.
        study: name of the study.
        trial: id of the trial.
    """
    names = [*store.list(layout.trial_attempts(study, trial)), layout.trial_failure(study, trial)]
    failures = (read_or_redo(store, name, Failure) for name in names)
    return tuple(failure for failure in failures if failure is not None)


def signature(failure: Failure) -> str:
    """Reduce a failure to what it has in common with others of its cause: kind, message, innermost frame.

    Numbers, quoted words, paths and addresses of the message are left out: they name the case.
    """
    text = first_line(failure.message)
    for pattern in (_QUOTED, _PATH, _NUMBER):
        text = pattern.sub("#", text)
    frames = list(_FRAME.finditer(failure.traceback))
    where = (
        f" in {frames[-1]['function']} ({frames[-1]['file'].rpartition('/')[2]}:{frames[-1]['line']})" if frames else ""
    )
    return f"{failure.kind}: {text}{where}"


def attempt_line(failure: Failure) -> str:
    """Say when which attempt failed, how, where, and what followed, in one line for a log."""
    at = datetime.fromtimestamp(failure.ts / 1000, UTC).isoformat(timespec="seconds")
    place = f" ({where(failure)})" if where(failure) else ""
    then = f"; then {failure.remedy}" if failure.remedy else ""
    return f"=== {at} attempt {failure.attempt} failed, {failure.kind}: {first_line(failure.message)}{place}{then}"


def where(failure: Failure) -> str:
    """Say where a failure happened, as far as it is known: `rank 1 on node-7, GPU 3`; else empty."""
    parts = [] if failure.rank is None else [f"rank {failure.rank}"]
    parts += [f"on {failure.host}"] if failure.host else []
    gpu = f", GPU {failure.gpu}" if failure.gpu is not None else ""
    return " ".join(parts) + gpu


def what_failed(failure: Failure) -> str:
    """Say message, place and number of a failed attempt in one line."""
    place = where(failure)
    details = [*([place] if place else []), *([f"attempt {failure.attempt}"] if failure.attempt > 1 else [])]
    return first_line(failure.message) + (f" ({', '.join(details)})" if details else "")
