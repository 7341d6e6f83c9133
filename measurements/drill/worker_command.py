"""Do what `ablate run` does of a study, without Ray: each trial in worker processes that are forked from this one.

The ledger, tasks and worker processes are the product's; what starts the workers and watches them is not. Nothing is
tried again in the same command, and what storage refuses ends it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from measurements.drill.interposer import attach
from measurements.drill.toy_study import PlannedShape
from orchestrator.exit_codes import EXIT_CRASH, EXIT_DONE, EXIT_STOPPED, EXIT_TRIAL_FAILED
from orchestrator.planning.durations import estimated_seconds
from orchestrator.running.tasks import remaining_work
from orchestrator.state.ledger import read_ledger
from search_spaces.outcomes import FailureKind, TrialDone, UnitDone
from search_spaces.worker_contract import Failed, RankInfo
from trainables.storage import layout
from trainables.storage.record_files import read, write
from trainables.storage.records import Failure, TrialResult
from trainables.storage.store import LocalStore
from trainables.task import TrialTask
from trainables.workers.worker import Worker

POLL_S = 0.005


def run_command(planned: PlannedShape, storage: Path, library: Path, control: Path, steps: Path) -> int:
    """Run what is left of the study, trial by trial, and return the exit code that `ablate run` would have.

    Args:
        planned: the study for one shape.
        storage: with its data.
        library: that logs and disturbs file operations.
        control: what it obeys.
        steps: file to which workers append the training steps that they have done.
    """
    attach(library, control, "driver")
    store, study, failures = LocalStore(storage), planned.plan.study, 0
    ledger = read_ledger(planned.plan, store)
    for item in remaining_work(planned.plan, ledger, estimated_seconds(planned.plan, ledger, store)):
        trial, task = item.trial_id, planned.task(item.trial_id, storage)
        try:
            store.remove(layout.trial_failure(study, trial))
            write(store, layout.trial_task(study, trial), task)
            failed = run_group(task, lambda role: attach(library, control, role), steps)
            is_done = read(store, layout.trial_result(study, trial), TrialResult) is not None
            if failed is not None and not is_done:
                print(f"{trial}: {failed.kind}: {failed.message}", flush=True)
                log, now = layout.worker_log(study, trial, failed.rank or 0), int(time.time() * 1000)
                failure = Failure(trial, failed.kind, failed.message, failed.traceback, log, now)
                failures += 1
                write(store, layout.trial_failure(study, trial), failure)
            elif not is_done:
                raise RuntimeError(f"{trial} ended without a result")
        except OSError as error:
            print(f"{trial}: {error}", flush=True)
            return EXIT_STOPPED
    return EXIT_TRIAL_FAILED if failures else EXIT_DONE


def run_group(task: TrialTask, begin: Callable[[str], None], steps: Path) -> Failed | None:
    """Run a trial in its own processes; the failure that ended it, or None. When one rank ends early, all do.

    Args:
        task: of the trial.
        begin: called in each process with its role, before the trial begins there.
        steps: file to which the training steps that are done are appended.
    """
    world = task.stages[0].resources.workers
    address_read, address_written = os.pipe()
    answers_read, answers_written = os.pipe()
    address, ranks = "", []
    for rank in range(world):
        process = os.fork()
        if not process:
            _run_rank(
                task,
                RankInfo(rank, world, 0, "cpu", 1, "127.0.0.1"),
                begin,
                steps,
                address,
                address_written,
                answers_written,
            )
        ranks.append(process)
        if not rank:
            os.close(address_written)  # else what follows would wait for ever where rank 0 dies before it listens
            address = os.read(address_read, 1000).decode() if world > 1 else ""
            if world > 1 and not address:
                break
    os.close(address_read)
    os.close(answers_written)
    failed = _watch(ranks)
    answers = [json.loads(line) for line in os.fdopen(answers_read).read().splitlines()]
    if not failed:
        return None
    if answers:
        first = answers[0]
        return Failed(first["kind"], first["message"], first["traceback"], first["rank"])
    return Failed("lost", "a worker process died")


def _watch(ranks: list[int]) -> bool:
    """Wait for all ranks; once one has ended badly the others are killed. Whether one did."""
    failed, left = False, set(ranks)
    while left:
        for process in list(left):
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                left.discard(process)
                if status and not failed:
                    failed = True
                    for other in left:
                        os.kill(other, signal.SIGKILL)
        time.sleep(POLL_S)
    return failed


def _run_rank(
    task: TrialTask,
    rank_info: RankInfo,
    begin: Callable[[str], None],
    steps: Path,
    address: str,
    address_written: int,
    answers_written: int,
) -> NoReturn:
    """Run one rank to the end of the trial, and end this process."""
    code = EXIT_CRASH
    try:
        rank = str(rank_info.rank)
        os.environ.update(RANK=rank, WORLD_SIZE=str(rank_info.world), LOCAL_RANK=rank, DS_ACCELERATOR="cpu")
        worker = Worker(rank_info, joins=rank_info.world > 1)
        if rank_info.world > 1:
            if not rank_info.rank:
                address = worker.listen()
                os.write(address_written, address.encode())
            worker.join(address)
        begin(f"rank {rank}")
        answer: Any = worker.open(task)
        while not isinstance(answer, Failed) and not (answer is not None and _is_done(answer)):
            answer = worker.advance(1)
            if not isinstance(answer, Failed) and isinstance(answer.progress, UnitDone) and not rank_info.rank:
                _note_step(task, answer.progress, steps)
        if isinstance(answer, Failed):
            kind: FailureKind = answer.kind
            told = {"kind": kind, "message": answer.message, "traceback": answer.traceback, "rank": answer.rank}
            os.write(answers_written, json.dumps(told).encode() + b"\n")
        code = EXIT_TRIAL_FAILED if isinstance(answer, Failed) else EXIT_DONE
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _is_done(answer: Any) -> bool:
    return isinstance(getattr(answer, "progress", None), TrialDone)


def _note_step(task: TrialTask, progress: UnitDone, steps: Path) -> None:
    key = next((stage.key for stage in task.stages if stage.node == progress.node), None)
    if key is not None:
        with steps.open("a") as file:
            file.write(f"{key}\t{task.id}\t{progress.step}\n")
