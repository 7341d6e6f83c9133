"""Gather facts of a storage and of the tracking server. What is tried on the storage is removed again."""

from __future__ import annotations

import os
import secrets
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from orchestrator.doctor.facts import StorageFacts, TrackingFacts
from orchestrator.state.runs import living_runs
from search_spaces.credentials import without_credentials
from search_spaces.errors import InputError
from search_spaces.full_storage import disk_trouble, is_full
from trainables.storage import layout
from trainables.storage.probe import PROBE_BYTES, WAY_OUT, require_capable, trouble_of
from trainables.storage.store import LocalStore

TIMED_WRITES = 11

ROOM_WAY_OUT = "`ablate gc` frees what no study needs, or give another folder with --storage or ABLATE_STORAGE."


def storage_facts(root: Path) -> StorageFacts:
    """Probe a storage root and time it; a root that is not there is made for that long.

    Args:
        root: absolute.
    """
    is_there = root.is_dir()
    facts = StorageFacts(str(root), is_there, None, None, False, None, None, None, None, ())
    with _removed_if_made(root):
        try:
            require_capable(root)
        except InputError as error:
            return replace(_room(facts, root), error=error.law, way_out=error.way_out)
        except OSError as error:
            said = disk_trouble(error, str(root))
            return replace(_room(facts, root), error=said, way_out=ROOM_WAY_OUT, is_full=is_full(error))
        store = LocalStore(root)
        facts = _room(facts, root)
        if (trouble := trouble_of(store, PROBE_BYTES)) is not None:
            is_without_space = trouble.kind == "full"
            way_out = ROOM_WAY_OUT if is_without_space else WAY_OUT
            return replace(facts, error=trouble.text, way_out=way_out, is_full=is_without_space)
        leases = store.leases()
        runs = [run for study in store.folders(layout.RUNS) for run in living_runs(store, study, leases)]
        return replace(
            facts,
            flushed_write_s=flushed_write_s(store),
            clock_ahead_s=store.now() - time.time(),
            runs=tuple(f"{run.study} of {run.sentence}" for run in runs),
        )


def _room(facts: StorageFacts, root: Path) -> StorageFacts:
    """Add what is free on the file system of the nearest folder that is there."""
    there = next(folder for folder in (root, *root.parents) if folder.exists())
    counted = os.statvfs(there)
    files = counted.f_favail if counted.f_files else None
    return replace(facts, free_bytes=shutil.disk_usage(there).free, free_files=files)


@contextmanager
def _removed_if_made(root: Path) -> Iterator[None]:
    """Remove the folders again that the block has made on the way to the scratch folder of a storage."""
    scratch = root / Path(layout.scratch("probe")).parent
    made = [folder for folder in (scratch, *scratch.parents) if not folder.exists()]
    try:
        yield
    finally:
        for folder in made:
            try:
                folder.rmdir()
            except OSError:  # never made, or a run that began meanwhile has written there
                break


def flushed_write_s(store: LocalStore) -> float:
    """Time a small file that is written as every result is, several times; return the median in seconds."""
    name, times = layout.scratch(f"timed-{secrets.token_hex(6)}"), []
    try:
        for _ in range(TIMED_WRITES):
            began = time.perf_counter()
            store.put(name, b"timed")
            times.append(time.perf_counter() - began)
    finally:
        store.remove(name)
    return statistics.median(times)


def tracking_facts(uri: str | None, storage: Path) -> TrackingFacts:
    """Ask a tracking server as a run does before it starts; of the embedded database, only look at it.

    Args:
        uri: of the server; None for the database embedded in the storage.
        storage: absolute root.
    """
    from orchestrator.tracking.embedded_database import first_step
    from orchestrator.tracking.mlflow_connect import open_tracker

    shown = None if uri is None else without_credentials(uri)
    began, note = time.monotonic(), None
    try:
        if uri is None:
            note = first_step(storage)
        elif uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///").partition("?")[0]).exists():
            note = "a run makes it"  # as asking would
        else:
            open_tracker(uri, storage)
    except InputError as error:
        law = f"{error.place}: {error.law}" if error.place else error.law
        return TrackingFacts(shown, time.monotonic() - began, law, error.way_out, None)
    return TrackingFacts(shown, time.monotonic() - began, None, None, note)
