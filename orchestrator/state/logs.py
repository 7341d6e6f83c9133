"""Find a trial by any unambiguous part of its name, and print the logs of its workers (`ablate logs TRIAL`)."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable
from pathlib import PurePath
from typing import NamedTuple, TextIO

from search_spaces.errors import InputError, nearest
from trainables.storage import layout
from trainables.storage.store import Store

FOLLOW_PERIOD_S = 0.5
TAIL_BYTES = 64 * 1024
SHOWN_IDS = 10
"""Ids that an error lists."""

TRIAL_ID = re.compile(r"(?P<arm>.*)-s(?P<seed>\d+)-(?P<digest>[0-9a-f]{12,})")
WORKER_LOG = re.compile(r"/rank-(\d+)\.log$")
SLUG_LENGTH = 48
"""Where `search_spaces.identity.trial_id` cuts the arm's name."""


class StoredTrial(NamedTuple):
    """A trial that left something on storage."""

    study: str
    id: str


def stored_trials(store: Store, study: str | None = None) -> list[StoredTrial]:
    """List every trial that left something on storage, of one study or of all."""
    studies = [study] if study else store.folders(layout.STUDIES)
    return sorted(StoredTrial(name, trial) for name in studies for trial in store.folders(layout.trials(name)))


def find_trial(trials: Iterable[StoredTrial], query: str, seed: int | None = None) -> StoredTrial:
    """Find the one trial meant by a full id, a unique prefix of one, its digest, or an arm's name and a seed.

    Args:
        trials: to choose from.
        query: an id, a prefix or a digest, or an arm's name. Name and seed may be one text: ``resolution=32px s7``.
        seed: of the trial, where `query` does not say it.

    Raises:
        InputError: with the nearest ids, if no trial or more than one is meant.
    """
    trials = list(trials)
    if not trials:
        law, way_out = "there must be a trial, but the storage has none", "Run the study first, or name its --storage."
        raise InputError(law, key=query, way_out=way_out)
    for is_meant in (_is_id, _is_arm_and_seed, _is_prefix):
        matches = [trial for trial in trials if is_meant(trial.id, query, seed)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            law = f"must mean one trial, but {query!r} means {len(matches)}: {_listed(matches)}"
            raise InputError(law, key="TRIAL", way_out="Write more of the id, or add the seed or the study.")
    close = nearest(_slug(query), [trial.id for trial in trials]) or nearest(
        _slug(query), [_arm_and_seed(trial.id) for trial in trials]
    )
    law = f"must be a trial's id, the beginning of one, or an arm's name and seed, but got {query!r}"
    raise InputError(law, key="TRIAL", way_out=close or f"There are: {_listed(trials)}")


def log_files(store: Store, trial: StoredTrial) -> list[str]:
    """List the logs of a trial's workers, by rank."""
    logs = [name for name in store.list(layout.trial_folder(*trial)) if WORKER_LOG.search(name)]
    return sorted(logs, key=lambda name: int(PurePath(name).stem.removeprefix("rank-")))


def worker_lines(store: Store, trial: StoredTrial) -> dict[int, list[str]]:
    """Read the logs of a trial's workers: rank -> lines, oldest first.

    Raises:
        InputError: if nothing has been written.
    """
    _must_have_logs(store, trial)
    files = {int(PurePath(name).stem.removeprefix("rank-")): name for name in log_files(store, trial)}
    return {rank: _whole_lines(store, name, 0, to_the_end=True)[0].splitlines() for rank, name in files.items()}


def print_logs(
    store: Store,
    trial: StoredTrial,
    out: TextIO,
    *,
    follow: bool = False,
    wait: Callable[[], None] = lambda: time.sleep(FOLLOW_PERIOD_S),
) -> None:
    """Write the logs of all ranks to `out`; with `follow` also what is added, until the trial has ended.

    With more than one rank each line begins with its rank.

    Args:
        store: the storage.
        trial: whose logs are printed.
        out: where they are printed.
        follow: print until the trial has ended.
        wait: called between two looks at the logs.

    Raises:
        InputError: if nothing has been written and `follow` is not set.
    """
    if not follow:
        _must_have_logs(store, trial)
    offsets: dict[str, int] = {}
    while True:
        is_over = has_ended(store, trial)  # read before the logs, so that the last lines are not missed
        files = log_files(store, trial)
        for name in files:
            prefix = f"[{PurePath(name).stem}] " if len(files) > 1 else ""
            text, offsets[name] = _whole_lines(store, name, offsets.get(name, 0), to_the_end=is_over or not follow)
            for line in text.splitlines():
                out.write(f"{prefix}{line}\n")
        out.flush()
        if is_over or not follow:
            return
        wait()


def _must_have_logs(store: Store, trial: StoredTrial) -> None:
    if not log_files(store, trial):
        law = "the trial must have been started, but it has no log"
        raise InputError(law, place=store.place(layout.trial_folder(trial.study, trial.id)), key=trial.id)


def last_lines(store: Store, name: str, count: int) -> list[str]:
    """Read the last lines of a log.

    Args:
        store: the storage.
        name: of the log.
        count: most lines; they are taken from the last `TAIL_BYTES` bytes.

    Returns:
        The lines, oldest first; none if the log is not there.
    """
    try:
        with store.open(name) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []


def _whole_lines(store: Store, name: str, offset: int, *, to_the_end: bool) -> tuple[str, int]:
    """Read what follows `offset`, up to the last newline unless `to_the_end`, and return it with its end's offset."""
    with store.open(name) as file:
        file.seek(offset)
        raw = file.read()
    raw = raw if to_the_end else raw[: raw.rfind(b"\n") + 1]
    return raw.decode(errors="replace"), offset + len(raw)


def has_ended(store: Store, trial: StoredTrial) -> bool:
    """Check whether a trial is done or has failed for good."""
    return store.exists(layout.trial_result(*trial)) or store.exists(layout.trial_failure(*trial))


def _is_id(trial: str, query: str, seed: int | None) -> bool:
    return trial == query


def _is_arm_and_seed(trial: str, query: str, seed: int | None) -> bool:
    return _arm_and_seed(trial) == (_slug(query) if seed is None else f"{_cut(_slug(query))}-s{seed}")


def _is_prefix(trial: str, query: str, seed: int | None) -> bool:
    match = TRIAL_ID.fullmatch(trial)
    if seed is not None and match and int(match["seed"]) != seed:
        return False
    return trial.startswith(_slug(query)) or bool(match and len(query) >= 4 and match["digest"].startswith(query))


def _arm_and_seed(trial: str) -> str:
    match = TRIAL_ID.fullmatch(trial)
    return f"{match['arm']}-s{match['seed']}" if match else trial


def _slug(query: str) -> str:
    """Write a query as ids are written; the arm's part is cut as ids cut it."""
    slug = re.sub(r"[^a-z0-9]+", "-", query.lower()).strip("-")
    arm, separator, rest = slug.rpartition("-s")
    return f"{_cut(arm)}-s{rest}" if separator and rest.split("-")[0].isdigit() else _cut(slug)


def _cut(arm: str) -> str:
    return arm[:SLUG_LENGTH].rstrip("-")


def _listed(trials: list[StoredTrial]) -> str:
    several_studies = len({trial.study for trial in trials}) > 1
    shown = ", ".join(f"{trial.study}/{trial.id}" if several_studies else trial.id for trial in trials[:SHOWN_IDS])
    return shown + (f" and {len(trials) - SHOWN_IDS} more" if len(trials) > SHOWN_IDS else "")
