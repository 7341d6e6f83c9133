"""Ray Tune, fed by our hand-out: runs the trials of a study and tells what became of each.

What happened is told by files on storage; Tune's own state is scratch. Tune is kept quiet: what it and Ray say goes to
a log in the study's folder.
"""

from __future__ import annotations

import logging
import os
import pickle
import secrets
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Literal, cast

import ray
from ray import tune
from ray.exceptions import RayActorError
from ray.tune import Callback, Stopper
from ray.tune.execution.placement_groups import PlacementGroupFactory
from ray.tune.search import Searcher

from cluster.fit import rooms
from cluster.gang import Gang
from cluster.launcher import Launcher, MemberCode
from cluster.watchdog import Process, Watchdog, kill_in_cluster
from orchestrator.running.hand_out import LOOK_EVERY_S, HandOut
from orchestrator.running.leases import RENEW_EVERY_S
from orchestrator.running.schedule import FINISHED, Work, shapes
from search_spaces.plan import Node
from trainables.storage import layout
from trainables.storage.records import Failure, Progress
from trainables.storage.store import Store, get_json, put_json
from trainables.task import TrialTask
from trainables.workers.tune_trial import TuneTrial

FailureKind = Literal["lost", "hung", "error", "memory", "killed"]

WATCH_EVERY_S = 0.5

TUNE_ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",  # the new output draws boxes at any verbosity
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths of a study mean the same in every process
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # the handler below serves SIGTERM too
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # its snapshots are never read
    "TUNE_MAX_PENDING_TRIALS_PG": "32",  # admission is ours; with Tune's own default groups start one after another
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "1",  # to the log
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "86400",
}

TRAINING = MemberCode("trainables.workers.worker:Worker")
"""What workers run: the loop of `trainables.run_trial`."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunSettings:
    """How the trials of a study are run."""

    study: str
    launcher: Launcher = field(default_factory=Gang)
    code: MemberCode = TRAINING
    max_concurrent: int | None = None
    """Most trials at a time, besides what the cluster has room for."""


@dataclass(frozen=True)
class TrialEvent:
    """Something that happened to a trial, for a live view."""

    kind: Literal["handed-out", "started", "progress", "node-done", "done", "failed", "killed"]
    trial: str
    at: float
    """Seconds since the epoch."""
    progress: Progress = field(default_factory=lambda: Progress())
    failure: Failure | None = None


@dataclass(frozen=True)
class Outcomes:
    """What became of the trials. `killed` were running when a signal came; `not_started` had not been handed out."""

    done: tuple[str, ...]
    failed: Mapping[str, Failure]
    killed: tuple[str, ...]
    not_started: tuple[str, ...]
    signal: int | None
    groups_started: int
    groups_reused: int


def run_trials(
    work: Sequence[Work],
    nodes: Mapping[str, Node],
    done: Iterable[str],
    tasks: Callable[[str], TrialTask],
    store: Store,
    settings: RunSettings,
    on_event: Callable[[TrialEvent], None] = lambda event: None,
) -> Outcomes:
    """Run trials on the Ray cluster that is connected, until each is done or has failed, or a signal comes.

    Args:
        work: the trials in plan order.
        nodes: the nodes of their paths; stages and features must have keys.
        done: ids of nodes whose results are known to be on storage.
        tasks: makes the task of a trial, at the moment it is handed out.
        on_event: called in this thread; it should return quickly.
    """
    if not work:
        return Outcomes((), {}, (), (), None, 0, 0)
    log = store.path(layout.driver_log(settings.study))
    scratch = layout.scratch(secrets.token_hex(4))
    watch = Watchdog()
    run: _Run | None = None
    with _quiet(log), _environment(TUNE_ENVIRONMENT), _signals() as received:
        try:
            run = _Run(work, tasks, store, settings, on_event, watch, received)
            run.hand_out = HandOut(
                work, nodes, done, rooms(ray.nodes()), store, settings.study, run.prepare, settings.max_concurrent
            )
            with _attended(run):
                try:
                    _tuner(run, work, str(store.path(scratch))).fit()
                except _Interrupted:
                    run.interrupted()
        finally:
            if run is not None and run.hand_out is not None:
                run.hand_out.close()
            store.remove(scratch)
    return run.outcomes()


class _Interrupted(BaseException):
    """Leaves Tune from within. Not an Exception: Tune would wait for its actors to end by themselves."""


class _Run:
    """What is known of this run. Only the watching threads touch it besides the main thread, where noted."""

    hand_out: HandOut

    def __init__(
        self,
        work: Sequence[Work],
        tasks: Callable[[str], TrialTask],
        store: Store,
        settings: RunSettings,
        on_event: Callable[[TrialEvent], None],
        watch: Watchdog,
        received: list[int],
    ):
        self.settings, self.store, self.watch, self.received = settings, store, watch, received
        self.lost: set[str] = set()
        """Trials whose lease was taken over: they are stopped at their next result. Filled by a thread."""
        self.trials: Sequence[Any] = ()
        """Tune's own list of its trials."""
        self._tasks, self._on_event = tasks, on_event
        self._states: dict[str, str] = {item.trial_id: "waiting" for item in work}
        self._failures: dict[str, Failure] = {}
        self._groups = {True: 0, False: 0}

    def prepare(self, trial: str) -> None:
        """Just before a trial is handed out: its task as of now, and no failure of an earlier attempt."""
        self.store.remove(layout.trial_failure(self.settings.study, trial))
        task = self._tasks(trial)
        self.store.put(layout.trial_task(self.settings.study, trial), task.model_dump_json(indent=1).encode())
        self._states[trial] = "running"
        self._tell("handed-out", trial)

    def result(self, trial: str, result: Mapping[str, Any]) -> None:
        process = Process(result["node_id"], result["pid"], result["process_started"])
        self.watch.heard(trial, process, time.monotonic(), result["patience_s"])
        progress = Progress(**{key: result[key] for key in Progress.__annotations__ if key in result})  # type: ignore[typeddict-item]
        event = result["event"]
        if event == "started":
            self._groups[result["fresh_group"]] += 1
            self._tell("started", trial)
        elif event == "progress":
            self._tell("progress", trial, progress)
        elif event == "node_done":
            if not self.hand_out.node_done(progress["node"]):
                logger.warning("%s says that %s is done, but storage has no result", trial, progress["node"])
            self._tell("node-done", trial, progress)

    def completed(self, trial: str, last: Mapping[str, Any]) -> None:
        """Tune has taken a trial for finished: it said so, or it was stopped."""
        self.watch.forget(trial)
        finished = last.get("event") == "trial_done"
        if finished and self.store.exists(layout.trial_result(self.settings.study, trial)):
            self._states[trial] = "done"
            self.hand_out.ended(trial, group_kept=True)
            self._tell("done", trial)
        elif finished:
            self.failed(trial, "error", "the trial ended without leaving a result", group_kept=True)
        else:
            self.failed(trial, "lost", "a lease on its work was taken over by another run", group_kept=True)

    def failed(
        self, trial: str, kind: FailureKind, message: str, traceback: str = "", *, group_kept: bool = False
    ) -> None:
        """An attempt has failed. What was recorded where it happened holds; else this is recorded."""
        self.watch.forget(trial)
        failure = self.record(trial, kind, message, traceback)
        self._states[trial] = "failed"
        self._failures[trial] = failure
        self.hand_out.ended(trial, group_kept=group_kept)
        self._tell("failed", trial, failure=failure)

    def record(self, trial: str, kind: FailureKind, message: str, traceback: str = "") -> Failure:
        """The trial's failure on storage: the one that is there, or this one. Also called by the watching thread."""
        name = layout.trial_failure(self.settings.study, trial)
        recorded = get_json(self.store, name)
        if recorded is not None:
            return cast(Failure, recorded)
        log = layout.worker_log(self.settings.study, trial, 0)
        now = int(time.time() * 1000)
        failure = Failure(trial=trial, kind=kind, message=message, traceback=traceback, log=log, ts=now)
        put_json(self.store, name, failure)
        return failure

    def interrupted(self) -> None:
        """A signal came. Processes first, leases after: what nobody works on any more may be taken by others."""
        for trial in self.trials:
            if trial.status == "RUNNING" and trial.temporary_state.ray_actor is not None:
                ray.kill(trial.temporary_state.ray_actor, no_restart=True)
        self.hand_out.close()
        name = signal.Signals(self.received[0]).name
        for killed in [trial for trial, state in self._states.items() if state == "running"]:
            self._states[killed] = "killed"
            failure = self.record(killed, "killed", f"the run was stopped by {name}")
            self._tell("killed", killed, failure=failure)

    def outcomes(self) -> Outcomes:
        def of(state: str) -> tuple[str, ...]:
            return tuple(trial for trial, now in self._states.items() if now == state)

        return Outcomes(
            done=of("done"),
            failed=dict(self._failures),
            killed=of("killed"),
            not_started=of("waiting"),
            signal=self.received[0] if self.received else None,
            groups_started=self._groups[True],
            groups_reused=self._groups[False],
        )

    def _tell(self, kind: Any, trial: str, progress: Progress | None = None, failure: Failure | None = None) -> None:
        self._on_event(TrialEvent(kind, trial, time.time(), progress or Progress(), failure))


class _Searcher(Searcher):  # type: ignore[misc]  # ray has no types
    """Hands Tune the ids of trials, never what they are: Tune would interpret it."""

    def __init__(self, run: _Run):
        super().__init__()
        self._run = run

    def suggest(self, trial_id: str) -> Any:
        if self._run.received:
            raise _Interrupted
        trial = self._run.hand_out.next()
        if trial is FINISHED:
            return Searcher.FINISHED
        return None if trial is None else {"trial": trial}

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """The callback below is told the same, with the trial."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: what is done is told by storage."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles it for a restore that never happens


class _Told(Callback):  # type: ignore[misc]
    """Passes on what Tune says of each trial."""

    def __init__(self, run: _Run):
        self._run = run

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self._run.trials = trials
        if self._run.received:
            raise _Interrupted

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        self._run.result(trial.config["trial"], result)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._run.completed(trial.config["trial"], trial.last_result)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        error = _error_of(trial)
        died = isinstance(error, RayActorError) and "creation task" not in str(error)  # that is: its set-up failed
        said = str(error).strip().splitlines() or ["no message"]
        if died:
            self._run.failed(
                trial.config["trial"], "lost", "its process is gone: killed, out of memory, or crashed", str(error)
            )
        else:
            self._run.failed(trial.config["trial"], "error", said[-1], str(error))

    def __getstate__(self) -> dict[str, Any]:
        return {}


def _error_of(trial: Any) -> BaseException:
    """What Tune keeps of a trial's error, in its local folder."""
    if trial.pickled_error_file and os.path.exists(trial.pickled_error_file):
        with open(trial.pickled_error_file, "rb") as file:
            error: BaseException = pickle.load(file)
            return error
    return RuntimeError("Tune gives no reason")


class _LostLease(Stopper):  # type: ignore[misc]
    """Stops trials whose lease was taken over; their group stays."""

    def __init__(self, lost: set[str]):
        self._lost = lost

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return result["trial"] in self._lost and result["event"] != "trial_done"

    def stop_all(self) -> bool:
        return False


def _tuner(run: _Run, work: Sequence[Work], scratch: str) -> Any:
    settings, shape_of = run.settings, dict(shapes(work))
    launcher = settings.launcher
    reservations = {shape: PlacementGroupFactory(launcher.bundles(shape)) for shape in set(shape_of.values())}
    trainable = tune.with_parameters(
        TuneTrial, launcher=launcher, code=settings.code, study=settings.study, storage=str(run.store.path("."))
    )
    return tune.Tuner(
        tune.with_resources(trainable, lambda config: reservations[shape_of[config["trial"]]]),
        tune_config=tune.TuneConfig(
            search_alg=_Searcher(run),
            num_samples=len(work),
            reuse_actors=True,
            trial_name_creator=lambda trial: trial.config["trial"],
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=scratch,
            callbacks=[_Told(run)],
            stop=_LostLease(run.lost),
            failure_config=tune.FailureConfig(max_failures=0),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # ours are written by the loop
            verbose=0,
        ),
    )


@contextmanager
def _attended(run: _Run) -> Iterator[None]:
    """Threads that look after leases, other runs, the size of the cluster, and processes that have gone silent."""
    over = threading.Event()

    def regularly(every_s: float, look: Callable[[], None]) -> threading.Thread:
        def loop() -> None:
            while not over.wait(every_s):
                try:
                    look()
                except Exception:  # a look that fails (storage or a node away) must not end the looking
                    logger.exception("looking after the run failed")

        thread = threading.Thread(target=loop, daemon=True, name=look.__name__)
        thread.start()
        return thread

    def renew_leases() -> None:
        run.lost.update(run.hand_out.renew())
        run.hand_out.resize(rooms(ray.nodes()))

    def end_silent() -> None:
        for silence in run.watch.silent(time.monotonic()):
            pid = silence.process.pid
            run.record(silence.name, "hung", f"its process (pid {pid}) gave no sign for {silence.seconds:.0f} s")
            kill_in_cluster(silence.process)

    threads = [
        regularly(LOOK_EVERY_S, run.hand_out.look_elsewhere),
        regularly(RENEW_EVERY_S, renew_leases),
        regularly(WATCH_EVERY_S, end_silent),
    ]
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(timeout=1)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Notes SIGINT and SIGTERM instead of dying of them; a second one has its usual effect."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        for each in before:
            signal.signal(each, signal.SIG_DFL)

    for number in before:
        signal.signal(number, note)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _quiet(log: Any) -> Iterator[None]:
    """What Ray, Tune and the attendants log, and Python's warnings, go to a file meanwhile."""
    log.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    ours = ("ray", "orchestrator", "py.warnings")
    names = [*ours, *(name for name in logging.root.manager.loggerDict if name.startswith("ray."))]
    loggers = [logging.getLogger(name) for name in names]
    before = [(each, each.handlers, each.propagate) for each in loggers]
    for each in loggers:
        each.handlers, each.propagate = ([handler], False) if each.name in ours else ([], True)
    with warnings.catch_warnings():
        logging.captureWarnings(True)
        try:
            yield
        finally:
            logging.captureWarnings(False)
            for each, handlers, propagate in before:
                each.handlers, each.propagate = handlers, propagate
            handler.close()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
