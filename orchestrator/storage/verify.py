"""Read everything of a storage, or of one study, and say what is whole, damaged or missing.

Artifacts go through their one door (`trainables.storage.artifacts.verify_artifact`), records through theirs. What only
the content shows is written down beside the artifact, so that the next run makes it again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial

from orchestrator.state.documents import study_documents
from orchestrator.storage.references import References, StoredPlan, read_references
from orchestrator.storage.stored_records import REMEDIES, Remedy, record_of
from search_spaces.errors import InputError
from trainables.storage import layout
from trainables.storage.artifacts import Depth, verify_artifact
from trainables.storage.damages import mark_damage
from trainables.storage.file_classes import file_class
from trainables.storage.inventory import Inventory, take_inventory
from trainables.storage.record_files import read
from trainables.storage.records import PreparedManifest
from trainables.storage.store import Store

_ARTIFACTS = ("stages", "features", "evaluations", "data", "pictures")
_STUDY_FILE = layout.study_file("*").rpartition("*")[2]
_READERS = 4
"""Threads that read at a time: digests are computed without Python's lock."""


@dataclass(frozen=True)
class Finding:
    """What is damaged or missing, and who mends it."""

    name: str
    """On storage."""
    place: str
    problem: str
    """The end of "must be complete, but ..."."""
    remedy: Remedy
    studies: tuple[str, ...] = ()
    """That refer to it, as far as that is known."""

    @property
    def way_out(self) -> str:
        """What to do."""
        return REMEDIES[self.remedy]


@dataclass(frozen=True)
class Verification:
    """What a look at a storage, or at one study, has shown."""

    inventory: Inventory
    whole: int
    """Artifacts and records that are as they were written, as far as was looked."""
    damaged: tuple[Finding, ...]
    missing: tuple[Finding, ...]
    """What results of trials name, and what is not there."""
    unrecorded: tuple[str, ...]
    """Whole by their shape; of their content no digest was recorded when they were written."""


@dataclass(frozen=True)
class Job:
    """One artifact or record to be verified."""

    name: str
    size_bytes: int
    studies: tuple[str, ...]


def jobs_of(store: Store, study: str | None = None) -> tuple[Inventory, References, list[Job]]:
    """List what is to be verified, largest first.

    Args:
        store: the storage.
        study: whose work alone is looked at, with what it shares with others; None for everything.
    """
    inventory = take_inventory(store)
    references = read_references(store, inventory)
    wanted = None if study is None else _work_of(study, references, store)
    asking: dict[str, set[str]] = {}
    for trial in references.trials:
        for name in trial.evaluations:
            asking.setdefault(name.rpartition("/")[0], set()).add(trial.study)
    jobs = []
    for unit in inventory.units.values():
        folder, _, key = unit.name.partition("/")
        is_artifact = folder in _ARTIFACTS and unit.kind not in ("asides", "progress", "checkpoints", "answers")
        if is_artifact and (wanted is None or unit.name in wanted):
            studies = references.studies_of.get(key, frozenset()) | asking.get(unit.name, set())
            jobs.append(Job(unit.name, unit.size_bytes, tuple(sorted(studies))))
    for name, size in _records(store, study):
        parts = name.split("/")
        jobs.append(Job(name, size, (parts[1],) if parts[0] == layout.STUDIES else ()))
    jobs.sort(key=lambda job: (-job.size_bytes, job.name))
    return inventory, references, jobs


def _records(store: Store, study: str | None) -> Iterator[tuple[str, int]]:
    """Find the records on storage, of one study or of all."""
    for entry in store.walk("" if study is None else layout.study_folder(study), without=(layout.SOURCES,)):
        kind = file_class(entry.name)
        is_file_of_study = kind == "studies" and entry.name.endswith(_STUDY_FILE)
        is_other = entry.name == layout.TRACKING_DATABASE or record_of(entry.name) is not None
        if not entry.is_folder and (is_file_of_study or is_other) and kind not in ("unknown", "asides"):
            yield entry.name, entry.size


def _work_of(study: str, references: References, store: Store) -> set[str]:
    """Name the folders of everything that a study refers to."""
    trials = [trial for trial in references.trials if trial.study == study]
    plan = references.plans.get(study, StoredPlan((), ()))
    stages = {key for trial in trials for key in trial.stages} | {node.key or "" for node in plan.stages}
    features = {key for trial in trials for key in trial.features} | {node.key or "" for node in plan.features}
    digests = {source.digest for source in plan.sources or () if source.digest is not None}
    pictures = set()
    for digest in digests:
        with suppress(InputError):  # found again, and named, when the source itself is verified
            manifest = read(store, layout.data_result(digest), PreparedManifest)
            pictures |= {manifest.pictures} if manifest is not None else set()
    names = {layout.stage_folder(key) for key in stages} | {layout.features_folder(key) for key in features}
    names |= {layout.data_folder(digest) for digest in digests} | {layout.pictures_folder(each) for each in pictures}
    return names | {name.rpartition("/")[0] for trial in trials for name in trial.evaluations}


def verify(
    store: Store,
    inventory: Inventory,
    references: References,
    jobs: Collection[Job],
    depth: Depth,
    told: Callable[[Job], None] = lambda job: None,
) -> Verification:
    """Verify artifacts and records, several at a time.

    Args:
        store: the storage.
        inventory: of it.
        references: of all its studies.
        jobs: what is verified.
        depth: how much of each artifact is read.
        told: called in this thread after each.
    """
    damaged: list[Finding] = []
    unrecorded: list[str] = []
    whole = 0
    with ThreadPoolExecutor(min(_READERS, os.cpu_count() or 1)) as pool:
        for job, (findings, without_digest) in zip(jobs, pool.map(partial(_verified, store, depth), jobs), strict=True):
            damaged += findings
            unrecorded += without_digest
            whole += not findings
            told(job)
    looked_at = {study for job in jobs for study in job.studies}
    missing = tuple(finding for finding in _missing(store, inventory, references) if finding.studies[0] in looked_at)
    return Verification(inventory, whole, tuple(damaged), missing, tuple(unrecorded))


def _verified(store: Store, depth: Depth, job: Job) -> tuple[list[Finding], tuple[str, ...]]:
    """Verify one artifact or record: what is damaged, and of which files no digest was recorded."""
    folder = job.name.partition("/")[0]
    if job.name == layout.TRACKING_DATABASE:
        return _verified_database(store, job), ()
    if folder not in _ARTIFACTS or record_of(job.name) is not None:
        return _verified_record(store, job), ()
    try:
        return _verified_artifact(store, depth, job)
    except OSError as error:
        return [_unreadable(store, job, error)], ()


def _verified_artifact(store: Store, depth: Depth, job: Job) -> tuple[list[Finding], tuple[str, ...]]:
    verified = verify_artifact(store, job.name, depth)
    if verified.damages:  # maybe it was removed or made again while it was read
        verified = verify_artifact(store, job.name, depth)
    if verified.damages and not verify_artifact(store, job.name, "shape").damages:
        with suppress(OSError):  # of a storage that can only be read, it is said and not written down
            mark_damage(store, job.name, verified.damages[0])
    findings = [Finding(each.file, each.place, each.problem, "run", job.studies) for each in verified.damages]
    return findings, verified.unrecorded


def _verified_record(store: Store, job: Job) -> list[Finding]:
    """Read one record as its type; one that was removed meanwhile is not damaged."""
    record = record_of(job.name)
    try:
        if record is None:
            study_documents(store, job.name.split("/")[1])
        else:
            read(store, job.name, record.kind)
    except InputError as error:
        if record is not None or error.place == store.place(job.name):
            problem = error.law.partition(", but ")[2] or error.law
            return [Finding(job.name, store.place(job.name), problem, record.remedy if record else "hand", job.studies)]
    except OSError as error:
        return [_unreadable(store, job, error)]
    return []


def _unreadable(store: Store, job: Job, error: OSError) -> Finding:
    return Finding(job.name, store.place(job.name), f"it cannot be read ({error})", "hand", job.studies)


def _verified_database(store: Store, job: Job) -> list[Finding]:
    """Have SQLite check the embedded tracking database; one that a run is writing to is left alone."""
    try:
        with closing(sqlite3.connect(f"{store.uri(job.name)}?mode=ro", uri=True)) as connection:
            problems = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")]
    except sqlite3.OperationalError as error:
        problems = [] if "locked" in str(error) or "busy" in str(error) else [str(error)]
    except sqlite3.DatabaseError as error:
        problems = [str(error)]
    wrong = [problem for problem in problems if problem != "ok"]
    return [Finding(job.name, store.place(job.name), problem, "tracking") for problem in wrong]


def _missing(store: Store, inventory: Inventory, references: References) -> Iterator[Finding]:
    """Find results that trials name as theirs and that are not there."""
    files = {name for unit in inventory.units.values() for name in unit.files}
    for trial in references.trials:
        if trial.is_superseded or not trial.is_planned:
            continue
        for name in sorted((*map(layout.stage_result, trial.trained), *trial.evaluations)):
            if name not in files:
                problem = f"it is not there, and the result of {trial.id} names it"
                yield Finding(name, store.place(name), problem, "run", (trial.study,))
