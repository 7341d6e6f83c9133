"""The `ray-train` launcher: the workers of a trial are those of a run of Ray Train V2, a `TorchTrainer`.

The trial's own process starts the run in a thread and conducts: the function that Train runs in each worker fetches the
conductor's requests from a switchboard and answers them. So the contract is that of every launcher, and what is tried
again, how often and from where is decided where it is for all. Train places the workers, watches them and their nodes,
and says which of them has failed.

Train reserves the workers' room itself, which Tune does not see. What a trial needs is counted by the schedule, as
always; Tune reserves a byte of memory, so that it has something to reserve. Room that other programs hold is waited for
before the run begins, as long as it takes. A group ends with its trial: kept, it would hold room that Tune cannot take
back. Ray keeps a placement group until the driver ends, though the actor that made it is gone: the driver removes it.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import ray
from ray._private.state import state as ray_state
from ray.core.generated.gcs_pb2 import PlacementGroupTableData
from ray.exceptions import RayError
from ray.train import (
    ControllerError,
    FailureConfig,
    PreemptionError,
    RunConfig,
    ScalingConfig,
    UserCallback,
    WorkerGroupError,
)
from ray.train.v2._internal.exceptions import WorkerGroupStartupTimeoutError
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cluster.launcher import MemberCode, ResourceRequest, TrialRoom
from cluster.switchboard import Switchboard
from cluster.temporary import SessionFolder
from cluster.worker_group import GRACE_S, START_TIMEOUT_S, WorkerGroup, failure_of
from cluster.worker_process import GangWorker
from search_spaces.error_text import first_line, named_message
from search_spaces.worker_contract import Failed, Group, NoRoom

ROOM_S = 60.0
"""Seconds that one look for room takes at most, and that Train then waits for it."""

POLL_S = 4.0
"""Within so many seconds Train notices that a worker is gone: it asks each every 2 s and waits 2 s for the answers."""

END_S = 20.0
"""For a run of Train to end once its workers have: it waits up to 5 s for each of several steps."""

ENVIRONMENT = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths of a study mean the same in every process
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",  # what a worker prints goes to the trial's log
    "RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S": "604800",  # hangs are found by the group, which names rank and stacks
}
"""Of the trial's own process, which starts the run: Train passes them on. The contract rests on them."""


@dataclass(frozen=True)
class RayTrain:
    """Launcher of worker groups as runs of Ray Train."""

    keeps_groups: ClassVar[bool] = False

    start_timeout_s: float = START_TIMEOUT_S
    interface: str | None = None
    """Network interfaces over which workers on several hosts meet, separated by commas; None: each host decides."""
    room_s: float = ROOM_S

    def bundles(self, request: ResourceRequest) -> list[dict[str, float]]:
        return [{"memory": 1.0}]

    def start(self, code: MemberCode, trial: TrialRoom) -> Group | Failed | NoRoom:
        if not has_room(trial, self.room_s):
            return NoRoom()
        request = trial.request
        run = _TrainRun.start(trial, self.room_s)
        missing = run.missing(self.start_timeout_s)
        if missing is not None:
            run.end()
            return missing
        asks = [partial(run.ask, rank) for rank in range(request.workers)]
        group = WorkerGroup(asks, run.end, POLL_S + GRACE_S)
        failed = group.locate(self.start_timeout_s, self.interface, keeps_order=True) or group.meet(
            code, request.threads, self.start_timeout_s, self.interface
        )
        if failed:
            group.kill()
            return failed
        return group

    def give_room_back(self) -> None:
        for reservation in abandoned_reservations():
            remove_placement_group(reservation)


def has_room(trial: TrialRoom, within_s: float) -> bool:
    """Wait until the workers of a trial can be placed, and leave nothing reserved.

    Args:
        trial: what it needs, and where it may be placed.
        within_s: seconds to wait at most.
    """
    request = trial.request
    selector = [dict(trial.labels)] * request.workers if trial.labels else None
    room = placement_group([request.bundle()] * request.workers, trial.strategy, bundle_label_selector=selector)
    try:
        return bool(room.wait(within_s))
    finally:
        remove_placement_group(room)


def abandoned_reservations() -> list[PlacementGroup]:
    """List the placement groups of this driver's job that actors have made which are gone.

    Ray's public table of placement groups does not say who has made them, and the State API needs the dashboard.
    """
    job = ray.get_runtime_context().get_job_id()
    table = map(PlacementGroupTableData.FromString, ray_state._connect_and_get_accessor().get_placement_group_table())
    return [
        PlacementGroup(ray.PlacementGroupID(group.placement_group_id))
        for group in table
        if group.creator_job_id.hex() == job
        and group.creator_actor_dead
        and not ray.ActorID(group.creator_actor_id).is_nil()  # made by the driver: Ray calls that a dead actor, too
        and group.state != PlacementGroupTableData.REMOVED
    ]


class _TrainRun:
    """A run of Ray Train, and the switchboard over which its workers are asked."""

    def __init__(self, workers: int, folder: SessionFolder, board: Any):
        self._workers, self._folder, self._board = workers, folder, board
        self._reservation: str | None = None
        """Hexadecimal id of the placement group in which the workers run."""
        self._had_no_room = False
        self._thread: threading.Thread | None = None

    @staticmethod
    def start(trial: TrialRoom, room_s: float) -> _TrainRun:
        """Start a run in a thread.

        Args:
            trial: what it needs, and where it may be placed.
            room_s: seconds that Train waits for room, which others may have taken since it was there.
        """
        os.environ.update(ENVIRONMENT | {"RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": f"{room_s:g}"})
        workers, folder = trial.request.workers, SessionFolder(Path(tempfile.gettempdir()))
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        board = ray.remote(num_cpus=0, scheduling_strategy=here)(Switchboard).remote(workers)
        run = _TrainRun(workers, folder, board)
        trainer = _trainer(trial, folder.path, board)
        run._thread = threading.Thread(target=run._fit, args=(trainer,), name="Ray Train", daemon=True)
        run._thread.start()
        return run

    def ask(self, rank: int, method: str, *arguments: object) -> Any:
        """Ask a worker. Returns Ray's reference to the answer."""
        return self._board.ask.remote(rank, method, *arguments)

    def missing(self, timeout_s: float) -> Failed | NoRoom | None:
        """Wait for all workers. Returns why they are not all there; None if they are."""
        calls = [self._board.arrival.remote(rank) for rank in range(self._workers)]
        ready, _ = ray.wait(calls, num_returns=len(calls), timeout=timeout_s)
        answers = [ray.get(call) for call in ready]
        self._reservation = next((answer for answer in answers if isinstance(answer, str)), None)
        failed = [answer for answer in answers if isinstance(answer, Failed)]
        if failed:
            return NoRoom() if self._had_no_room else min(failed, key=lambda failure: failure.is_consequence)
        if len(answers) < self._workers:
            return Failed("hung", f"{len(answers)} of {self._workers} workers of Ray Train came in {timeout_s:.0f} s")
        return None

    def end(self) -> None:
        """End the workers: those that wait for a request end by themselves, the others with their placement group.

        A run of which no worker has come ends with this process, and its room is given back by the driver.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        are_idle = False
        with suppress(RayError):  # where the switchboard is gone, the placement group is removed
            are_idle = ray.get(self._board.end.remote(), timeout=END_S)
        if are_idle:
            thread.join(END_S)
        if thread.is_alive() and self._reservation is not None:
            remove_placement_group(PlacementGroup(ray.PlacementGroupID.from_hex(self._reservation)))
            thread.join(END_S)
        ray.kill(self._board)
        self._folder.remove()

    def _fit(self, trainer: Any) -> None:
        """Wait for the end of the run, and answer for its workers from then on."""
        failures: Mapping[int, Failed] = {}
        ended = Failed("lost", "Ray Train has ended the workers", is_consequence=True)
        try:
            trainer.fit()
        except WorkerGroupError as error:
            failures = failures_of(error.worker_failures)
        except PreemptionError as error:
            failures = {rank: _preempted(rank, error) for rank in error.preemption_info.preempted_ranks}
        except ControllerError as error:
            self._had_no_room = isinstance(error.controller_failure, WorkerGroupStartupTimeoutError)
            ended = _run_failed(error)
        except Exception as error:  # of Train's controller, or of its start: its process, its node, the room is gone
            ended = _run_failed(error)
        with suppress(RayError):  # where the switchboard is gone, whoever asks finds that
            ray.get(self._board.fail.remote({rank: failures.get(rank, ended) for rank in range(self._workers)}))


def _trainer(trial: TrialRoom, folder: Path, board: Any) -> Any:
    """Make the trainer of a trial.

    Args:
        trial: what it needs, and where it may be placed.
        folder: for Train's own files.
        board: switchboard of the workers.
    """
    from ray.train.torch import TorchTrainer  # imports torch

    from cluster.train_backend import OwnProcessGroup

    request = trial.request
    return TorchTrainer(
        serve,
        train_loop_config={"board": board},
        torch_config=OwnProcessGroup(),
        scaling_config=ScalingConfig(
            num_workers=request.workers,
            use_gpu=request.gpus_per_worker > 0,
            resources_per_worker=request.bundle(),
            placement_strategy=trial.strategy,
            label_selector=dict(trial.labels) or None,
        ),
        run_config=RunConfig(
            name=trial.name,
            storage_path=str(folder),
            failure_config=FailureConfig(max_failures=0, controller_failure_limit=0, max_preemption_failures=0),
            callbacks=[_Notice(board)],
            worker_runtime_env={"env_vars": {"OMP_NUM_THREADS": str(request.threads)}},  # torch reads it at its import
        ),
    )


class _Notice(UserCallback):  # type: ignore[misc]  # ray has no types
    """A callback in Train's controller that tells the switchboard of workers that have failed, at once."""

    def __init__(self, board: Any):
        self._board = board

    def after_exception(self, run_context: Any, worker_exceptions: Mapping[int, Exception]) -> None:
        self._board.fail.remote(failures_of(worker_exceptions))


def failures_of(errors: Mapping[int, Exception]) -> dict[int, Failed]:
    """Return the failures of ranks of which Train says this."""
    return {rank: failure_of(getattr(error, "health_check_failure", error), rank) for rank, error in errors.items()}


def _run_failed(error: Exception) -> Failed:
    return Failed("lost", f"Ray Train has failed: {first_line(named_message(error))}", traceback=str(error))


def _preempted(rank: int, error: PreemptionError) -> Failed:
    return Failed("preempted", f"the node of rank {rank} was drained or preempted", traceback=str(error), rank=rank)


def serve(config: Mapping[str, Any]) -> None:
    """Answer what this worker is asked, until it is told to end. Train calls this in a thread of each worker.

    Args:
        config: ``board`` is the switchboard from which requests come.
    """
    rank, board = ray.train.get_context().get_world_rank(), config["board"]
    worker = GangWorker()
    ray.get(board.arrive.remote(rank, ray.util.get_current_placement_group().id.hex()))
    answered: int | None = None
    answer: Any = None
    while (request := ray.get(board.fetch.remote(rank, answered, answer))) is not None:
        answered, answer = request.number, getattr(worker, request.method)(*request.arguments)
    worker.close()
