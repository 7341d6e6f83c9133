"""Connect Ray Tune to a run: searcher, callback and stopper.

Tune is given the ids of trials only. Its own state is scratch: storage shows what is done.
"""

from __future__ import annotations

import errno
import os
import pickle
import stat
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, Protocol

import ray
from ray import tune
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayError, RayTaskError
from ray.tune import Callback, Stopper
from ray.tune.execution.placement_groups import PlacementGroupFactory
from ray.tune.search import Searcher

from cluster.launcher import Launcher, ResourceRequest
from cluster.process import is_node_gone
from orchestrator.running.attempts import RunSettings
from orchestrator.running.periodic import PeriodicCall, called_periodically
from orchestrator.running.schedule import FINISHED, Finished
from orchestrator.running.signals import InterruptedRunError
from orchestrator.running.trial_rooms import node_labels, node_selector, start_group
from search_spaces.full_storage import is_full
from search_spaces.outcomes import FailureKind, TrialDone
from trainables.workers.tune_result import TuneResult, read_result
from trainables.workers.tune_trial import TrialFailedError, TuneTrial, report_every_s

TUNE_ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",  # the new output draws boxes at any verbosity
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths of a study mean the same in every process
    "RAY_TRAIN_COUNT_PREEMPTION_AS_FAILURE": "1",  # else Tune tries a preempted trial again by itself, and tells nobody
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # ours serves SIGTERM too
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # its snapshots are never read
    "TUNE_MAX_PENDING_TRIALS_PG": "32",  # admission is ours; with Tune's own default groups start one after another
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "1",  # to the log
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "86400",
}

ROOM_BACK_EVERY_S = 5.0
"""Between two looks for room of trials whose processes are gone."""


class TuneRun(Protocol):
    """What Tune is connected to: a run of trials, or one whose shapes are rehearsed first."""

    def next(self) -> str | Literal[Finished.FINISHED] | None:
        """Dispatch a trial and return its id; None if none can start now, FINISHED if none is left."""

    @property
    def most_at_once(self) -> int:
        """Most trials that will run at a time from now on."""

    def avoided(self, trial: str) -> tuple[str, ...]:
        """Return the nodes on which a trial that was dispatched must not be placed."""

    def is_on_one_node(self, trial: str) -> bool:
        """Return whether all workers of a trial that was dispatched are placed on one node."""

    def raise_if_interrupted(self) -> None:
        """Raise InterruptedRunError if a signal has come."""

    def report(self, result: TuneResult) -> None:
        """Handle a report of a trial's process."""

    def completed(self, result: TuneResult) -> None:
        """End a trial that Tune counts as finished."""

    def failed(self, trial: str, kind: FailureKind, message: str, traceback: str = "") -> None:
        """End an attempt that has failed; `message` is one line for people."""

    def has_lost_lease(self, trial: str) -> bool:
        """Return whether another run has taken over what a trial produces, so that it must stop."""

    def stop_for_storage(self, error: Exception) -> bool:
        """Stop the run if an error came from its storage; returns whether."""


def fit(
    run: TuneRun,
    requests: Mapping[str, ResourceRequest],
    launcher: Launcher,
    settings: RunSettings,
    storage: str,
    scratch: str,
    storages: Mapping[str, str] | None = None,
    placeable: Callable[[], tuple[str, ...]] | None = None,
) -> None:
    """Let Tune run what the run dispatches, until no trial is left.

    Args:
        run: dispatches trials and is given the reports.
        requests: trial id -> its resource request, for all trials that may be dispatched.
        launcher: starts the workers.
        settings: study, and code of the workers.
        storage: root of the storage on which workers find the task of a trial.
        scratch: folder for Tune's own files.
        storages: id -> root of the storage with its task, where it is another one: of rehearsals.
        placeable: returns the ids of the only nodes on which trials may be placed; None where all may be used.

    Raises:
        InterruptedRunError: if a signal came; the processes of all running trials are killed by then.
    """
    bundles = {trial: launcher.bundles(request) for trial, request in requests.items()}

    def reserved(trial: str, config: Mapping[str, Any]) -> PlacementGroupFactory:
        labels = node_labels(requests[trial], config["nodes"])
        return reservation(bundles[trial], labels, on_one_node=config["on_one_node"])

    start = partial(start_group, launcher, settings.code, dict(requests))
    trainable = tune.with_parameters(TuneTrial, start_group=start, study=settings.study, storage=storage)
    reports = _Reports(run)
    tuner = tune.Tuner(
        tune.with_resources(trainable, lambda config: reserved(config["trial"], config)),
        tune_config=tune.TuneConfig(
            search_alg=_TrialIds(run, storages or {}, placeable),
            num_samples=sys.maxsize,  # a trial that is tried again is a new one to Tune
            reuse_actors=launcher.keeps_groups,
            trial_name_creator=lambda trial: trial.config["trial"],
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=scratch,
            callbacks=[reports],
            stop=_LostLease(run),
            failure_config=tune.FailureConfig(max_failures=0),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # ours are written by the loop
            verbose=0,
        ),
    )
    try:
        with called_periodically([PeriodicCall(ROOM_BACK_EVERY_S, launcher.give_room_back)]):
            tuner.fit()
    except InterruptedRunError:
        reports.kill_running()
        raise
    except Exception as error:  # on a full disk Tune stumbles over its own files: all that matters is reported
        reports.kill_running()
        if not run.stop_for_storage(error):
            raise


def reservation(
    bundles: list[dict[str, float]], labels: Mapping[str, str], *, on_one_node: bool = False
) -> PlacementGroupFactory:
    """Make the reservation of a trial's workers.

    Args:
        bundles: resources of the trial's own process and of its workers.
        labels: label -> selector of its value, of the nodes on which they may be placed; empty for all nodes.
        on_one_node: place all of them on one node, and wait for it, rather than apart.
    """
    strategy = "STRICT_PACK" if on_one_node else "PACK"
    if not labels:
        return PlacementGroupFactory(bundles, strategy=strategy)
    reserved = sum(any(bundle.values()) for bundle in bundles)  # Tune drops a first bundle that is empty
    return PlacementGroupFactory(bundles, strategy=strategy, bundle_label_selector=[dict(labels)] * reserved)


class _TrialIds(Searcher):  # type: ignore[misc]  # ray has no types
    """A searcher that gives Tune the ids of trials, never what they are: Tune would interpret it."""

    def __init__(self, run: TuneRun, storages: Mapping[str, str], placeable: Callable[[], tuple[str, ...]] | None):
        super().__init__()
        self._run, self._storages, self._placeable = run, storages, placeable

    def suggest(self, trial_id: str) -> Any:
        trial = self._run.next()
        if trial is FINISHED:
            return Searcher.FINISHED
        if trial is None:
            return None
        own = {"storage": self._storages[trial]} if trial in self._storages else {}
        nodes = node_selector(self._placeable() if self._placeable else None, self._run.avoided(trial))
        every_s = report_every_s(self._run.most_at_once)
        on_one_node = self._run.is_on_one_node(trial)
        return {"trial": trial, "nodes": nodes, "on_one_node": on_one_node, "report_every_s": every_s, **own}

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Do nothing: the callback below gets the same, with the trial."""

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: storage shows what is done."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: nothing is saved."""

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles it for a restore that never happens


class _Reports(Callback):  # type: ignore[misc]
    """A callback that passes what Tune reports of each trial on to the run."""

    def __init__(self, run: TuneRun):
        self._run = run
        self._trials: list[Any] = []

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self._trials = trials
        self._run.raise_if_interrupted()

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        self._run.report(read_result(result))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._run.completed(read_result(trial.last_result))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        error = _error_of(trial)
        kind, message = kind_of(error)
        self._run.failed(trial.config["trial"], kind, message, str(error).strip())

    def kill_running(self) -> None:
        """Kill the process of every trial that Tune has running."""
        for trial in self._trials:
            if trial.status == "RUNNING" and trial.temporary_state.ray_actor is not None:
                ray.kill(trial.temporary_state.ray_actor, no_restart=True)

    def __getstate__(self) -> dict[str, Any]:
        return {}


def kind_of(error: BaseException) -> tuple[FailureKind, str]:
    """Say what kind of failure an error of Tune is, and its message in one line.

    The set-up of a trial's process is ours, and errors of it are errors in code; whatever else Ray reports of a process
    or of its node says that it is gone.
    """
    text = str(error).strip()
    last = text.splitlines()[-1] if text else "no message"
    match error:
        case OutOfMemoryError():
            return "memory", "its process was ended because its node ran out of memory"
        case RayTaskError():
            cause = error.cause
            if isinstance(cause, TrialFailedError):
                return cause.kind, cause.message
            return "full" if is_full(error) else "error", last
        case ActorDiedError() if error.actor_init_failed:
            return "error", last
        case ActorDiedError() if error.preempted:
            return "preempted", "its node was drained or preempted"
        case RayError() if is_node_gone(error):
            return "lost", "its node is gone: the machine, its network or its Ray"
        case RayError():
            return "lost", "its process is gone: killed, out of memory, or crashed"
        case _:
            return "full" if is_full(error) else "error", last


def _error_of(trial: Any) -> BaseException:
    """Read the error that this process has let Tune keep of a trial; a file that is cut had no space.

    Tune pickles it into the local folder of Ray's session, never onto the storage. That of a cluster may belong to
    somebody else, who could put another file there: only one that this user has written is opened.
    """
    if trial.pickled_error_file and os.path.exists(trial.pickled_error_file):
        with open(trial.pickled_error_file, "rb") as file:
            facts = os.fstat(file.fileno())
            if facts.st_uid != os.geteuid() or facts.st_mode & stat.S_IWOTH:
                return RuntimeError(f"{trial.pickled_error_file} could be written by others, and is not read")
            try:
                error: BaseException = pickle.load(file)
            except EOFError:
                return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return error
    return RuntimeError("Tune gives no reason")


class _LostLease(Stopper):  # type: ignore[misc]
    """A stopper of trials whose lease was taken over; their group stays."""

    def __init__(self, run: TuneRun):
        self._run = run

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        report = read_result(result)
        return self._run.has_lost_lease(report.trial) and not isinstance(report.event, TrialDone)

    def stop_all(self) -> bool:
        return False

    def __getstate__(self) -> dict[str, Any]:
        return {}
