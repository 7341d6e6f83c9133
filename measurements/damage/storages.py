"""Make the undisturbed storages: of a study that is done, half done, interrupted, and sent to the embedded database."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from measurements.damage.commands import COMMANDS, run_command
from measurements.damage.kinds import kind_of
from measurements.damage.outcomes import Reference
from measurements.damage.run_trials import attempt
from measurements.damage.study_plan import planned
from orchestrator.exit_codes import EXIT_DONE
from orchestrator.state.ledger import read_ledger
from tests.support.hub_languages import make_checkpoint
from tests.support.other_hosts import ELSEWHERE
from trainables.run_trial import run_trial
from trainables.storage import layout
from trainables.storage.record_files import read, write
from trainables.storage.records import Failure, Rehearsal, RunRecord, StopRequest, TrialResult
from trainables.storage.store import LocalStore
from trainables.task import Context

RUNS = ("run, finished", "run, half done")
TRACKED = {"sync": "sync to storage", "doctor": "doctor of storage", "run": "run and sync to storage"}
"""Command -> what stands for it where the database on storage is damaged."""

READERS = tuple(name for name in COMMANDS if name != "run" and name not in TRACKED.values())
COLUMNS = (*READERS, *RUNS)
"""Of the table: a command, and `run` of two storages."""

TAKE_LEASE = """
import os, sys
from pathlib import Path
from trainables.storage.owner import Owner
from trainables.storage.store import LocalStore
assert LocalStore(Path(sys.argv[1])).lease(sys.argv[2], Owner.here()) is not None
os._exit(0)
"""
"""Program that takes a lease and ends without giving it back, as one that is killed."""


class Storages(NamedTuple):
    """The undisturbed storages."""

    finished: Reference
    half_done: Reference
    interrupted: Reference
    tracked: Reference

    def of(self, column: str, kind: str) -> tuple[Reference, str] | None:
        """Find the storage on which a kind of file is damaged for a column, and the command that is run there.

        Returns:
            None where the column's storages have no such file.
        """
        command = column.partition(",")[0]
        choices = [self.half_done, self.interrupted] if column == "run, half done" else [self.finished]
        choices += [self.interrupted] if command != "run" else []
        for reference in choices:
            if kind in reference.kinds:
                return reference, command
        if kind in self.tracked.kinds and column != "run, half done":
            return self.tracked, TRACKED.get(command, command)
        return None


def make_storages(folder: Path) -> Storages:
    """Make the undisturbed storages in a folder, and run the commands of each of them.

    Args:
        folder: for the storages.
    """
    finished = finished_storage(folder / "finished")
    half_done = _copied(finished, folder / "half-done")
    unanswer(half_done)
    interrupted = _copied(finished, folder / "interrupted")
    interrupt(interrupted)
    tracked = _copied(finished, folder / "tracked")
    _must_do("sync to storage", tracked)
    commands_of_tracked = tuple(TRACKED.get(name, name) for name in (*READERS, "run"))
    return Storages(
        Reference.of(finished, (*READERS, "run"), folder),
        Reference.of(half_done, ("run",), folder),
        Reference.of(interrupted, (*READERS, "run"), folder),
        Reference.of(tracked, commands_of_tracked, folder),
    )


def finished_storage(folder: Path) -> Path:
    """Make a storage of a study that is done, looked at and sent to a server."""
    storage = folder / "storage"
    (storage / layout.SOURCES).mkdir(parents=True)
    make_checkpoint(storage / layout.SOURCES / "tiny-llama", "llama")
    for command in ("run", "verdicts", "sync", "status"):
        _must_do(command, storage)
    store = LocalStore(storage)
    for result in [name for name in store.list("studies") if kind_of(name) == "result of a trial"]:
        store.put(f"{result.rpartition('/')[0]}/rank-0.log", b"training\n")
    rehearsal = Rehearsal("shape", "base", 1, "cpu", (), {"shape": 4}, None, 1.0, _now_ms())
    write(store, layout.rehearsal("0" * 64), rehearsal)
    return storage


def unanswer(storage: Path) -> None:
    """Leave a study half done: one arm is to be asked again, which reads features, weights and prepared data."""
    store = LocalStore(storage)
    results = [name for name in store.list("studies") if kind_of(name) == "result of a trial"]
    store.remove(results[-1])
    for name in store.list("evaluations"):
        if name.endswith(("/yes-no.json", "/yes-no.parquet")):
            store.remove(name)


def interrupt(storage: Path) -> None:
    """Leave a study as a run does that was killed while its last stage trained, after an attempt that had failed."""
    store = LocalStore(storage)
    study_plan, digests = planned(storage, reads_data=False)
    trial = study_plan.trials[-1]
    key = trial.stage_nodes(study_plan)[-1].key
    assert key is not None
    result = read(store, layout.trial_result(study_plan.study, trial.id), TrialResult)
    assert result is not None
    evaluations = {name.rpartition("/")[0] for name in result.evaluations.values()}
    for folder in (layout.stage_folder(key), layout.trial_folder(study_plan.study, trial.id), *evaluations):
        for name in store.list(folder):
            if kind_of(name) is not None:
                store.remove(name)
    task = attempt(study_plan, trial, digests, read_ledger(study_plan, store), storage)
    for _ in run_trial(task, Context()):
        if sum(name.endswith(layout.MANIFEST) for name in store.list(layout.checkpoints(key))) == 2:
            break
    for _ in run_trial(task, Context()):
        if store.exists(layout.trial_resumes(study_plan.study, trial.id)):
            break
    log, now = layout.worker_log(study_plan.study, trial.id, 0), _now_ms()
    failure = Failure(trial.id, "lost", "a worker process died", "", log, now)
    write(store, layout.trial_attempt(study_plan.study, trial.id, 1), failure)
    write(store, layout.trial_failure(study_plan.study, trial.id), failure)
    nonce = "0123456789abcdef"
    record = RunRecord(nonce, ELSEWHERE.host, ELSEWHERE.pid, "somebody@elsewhere", now, "ablate run")
    write(store, layout.run_record(study_plan.study, nonce), record)
    write(store, layout.stop_request(study_plan.study, nonce), StopRequest("somebody@elsewhere", now, 60.0))
    assert store.lease(layout.run_lease(study_plan.study, nonce), ELSEWHERE) is not None
    lease = layout.trial_lease(study_plan.study, trial.id)
    subprocess.run([sys.executable, "-c", TAKE_LEASE, str(storage), lease], check=True)


def _must_do(command: str, storage: Path) -> None:
    said = run_command(command, storage)
    if said.code != EXIT_DONE:
        raise RuntimeError(f"{command} must do its work on a new storage, but: {said.text}")


def _copied(storage: Path, folder: Path) -> Path:
    shutil.copytree(storage, folder / "storage")
    return folder / "storage"


def _now_ms() -> int:
    return int(time.time() * 1000)
