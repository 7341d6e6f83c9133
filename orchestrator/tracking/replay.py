"""From the spools on storage to the tracking server: a replay that may be repeated.

Workers never talk to the server. They append records to a spool (`trainables.storage.records`), and what is here sends
them on, with the byte offset up to which a server has them kept on storage. Sending a record twice changes nothing, so
an offset is written only after the server has taken what lies before it. A server that is away costs nothing: the spool
waits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path

from orchestrator.reporting.summary import summarize
from orchestrator.state.logs import last_lines
from orchestrator.state.status import study_status
from orchestrator.tracking.position import Ending, Position, read_ending, stride_of
from orchestrator.tracking.tracker import Notice, Point, Status, Tracker, TrackerAwayError, TrackerRefusedError
from search_spaces.error_text import named_message
from search_spaces.errors import InputError
from search_spaces.plan import Plan, PlannedTrial
from search_spaces.study import Study
from trainables.storage import layout, tracked_names
from trainables.storage.records import Failure
from trainables.storage.spool import DataUse, SpoolLine, is_of_machine, read_spool
from trainables.storage.store import Store, put_json

LINES_PER_BATCH = 1_000

PROGRESS_EVERY_S = 60.0
"""Between two looks at how long the study will take, where nothing has started or ended."""

SHOWING_SHARE = 0.05
"""Progress and summary are made anew only so often that making them takes no larger share of the time."""

LOG_LINES = 40
"""Last lines of the failing worker's log in `error.txt`."""


class Replay:
    """Brings a tracking server up to what storage holds of one study. Not thread-safe; `Uploader` owns one."""

    def __init__(
        self, tracker: Tracker, store: Store, study: Study, plan: Plan, notice: Notice, *, from_start: bool = False
    ):
        self._tracker, self._store, self._plan, self._notice = tracker, store, plan, notice
        self._study, self._from_start = study, from_start
        self._positions: dict[str, Position] = {}
        self._seen: dict[str, tuple[float, ...]] = {}
        self._endings: dict[str, Ending | None] = {}
        self._counts: dict[str, int] | None = None
        self._summarized: dict[str, int] | None = None
        self._next_look = self._next_summary = 0.0
        self._noticed: set[str] = set()
        self._study_is_open = False
        self.points = 0
        """Points sent so far."""

    def catch_up(self) -> None:
        """Send everything that is new. Raises `TrackerAwayError`; calling again goes on where it stopped."""
        self._open_study()
        for trial in self._plan.trials:
            seen = self._signature(trial.id)
            if not any(seen) or self._seen.get(trial.id) == seen:
                continue
            self._attempt(f"trial {trial.id}", partial(self._catch_up_trial, trial))
            self._seen[trial.id] = seen
        self._show_progress()
        self._show_summary()

    def close_stale(self) -> None:
        """Give every open run of a trial that does not run its true status: that of storage, else KILLED."""
        self._open_study()
        planned = {trial.id: trial for trial in self._plan.trials}
        for trial, run in self._tracker.unfinished().items():
            ending = read_ending(self._store, self._plan.study, trial)
            if self._is_running(trial) and not self._is_over(trial, ending):
                continue
            ending = ending or Ending("KILLED", self._last_sign(trial))
            if trial in planned:
                position = self._open(planned[trial], ending.ts, None).copy()
                self._save(trial, self._settle(planned[trial], position, ending))
            else:
                self._tracker.set_status(run, ending.status, ending.ts)

    def close(self, status: Status | None) -> None:
        """Close the runs of trials that do not run, and the study's; None derives its status from its trials. What is
        shown of the whole study comes last: a run must not stay open because a summary takes long."""
        self.close_stale()
        self._show_progress(at_once=True)
        counts = self._counts or {}
        if status is not None:
            self._tracker.close_study(status)
        elif not any(self._is_running(trial.id) for trial in self._plan.trials):  # else another driver will close it
            missing = counts.get("pending", 0) + counts.get("running", 0)
            self._tracker.close_study("FAILED" if counts.get("failed") else "KILLED" if missing else "FINISHED")
        self._show_summary(at_once=True)
        self._write_views()

    def _open_study(self) -> None:
        if self._study_is_open:
            return
        names = {"study.yaml": layout.study_file(self._plan.study), "plan.json": layout.plan_file(self._plan.study)}
        documents = {name: self._store.get(file).decode() for name, file in names.items() if self._store.exists(file)}
        for remark in self._tracker.open_study(self._plan, documents):
            self._notice(f"tracking: {remark}")
        self._write_views()
        self._study_is_open = True

    def _write_views(self) -> None:
        """Views are a convenience: whatever goes wrong with them, the records go on."""
        try:
            remarks = self._tracker.write_views()
        except TrackerAwayError:
            raise
        except Exception as error:
            remarks = [named_message(error)]
        for remark in remarks:
            self._notice_once(f"saved views: {remark}")

    def _signature(self, trial: str) -> tuple[float, ...]:
        """Changes whenever there may be something new; three calls of `stat`, because studies have thousands. Spools of
        other nodes are looked at whenever the trial's own grows."""
        study = self._plan.study
        names = (layout.spool(study, trial), layout.trial_result(study, trial), layout.trial_failure(study, trial))
        signature: list[float] = []
        for name in names:
            try:
                stat = self._store.path(name).stat()
                signature += (stat.st_size, stat.st_mtime)
            except FileNotFoundError:
                signature += (0, 0)
        return tuple(signature)

    def _catch_up_trial(self, trial: PlannedTrial) -> None:
        spool = self._store.path(layout.spool(self._plan.study, trial.id))
        ending = self._endings[trial.id] = read_ending(self._store, self._plan.study, trial.id)
        first = next(read_spool(spool), None) if spool.exists() else None
        if first is None and ending is None:
            return
        born = first[1]["ts"] if first else None
        position = self._open(trial, born or (ending.ts if ending else 0), born)
        while batch := list(islice(read_spool(spool, position.offset), LINES_PER_BATCH)) if first else []:
            position = self._send(position.copy(), [line for _, line in batch])
            position.offset = batch[-1][0]
            self._save(trial.id, position)
        for node in sorted(spool.parent.glob("node-*.jsonl")):
            if batch := list(read_spool(node, position.nodes.get(node.name, 0))):
                position = position.copy()
                self._log(_run_of(position), [point for _, line in batch for point in position.sieve.take(line)])
                position.nodes[node.name] = batch[-1][0]
                self._save(trial.id, position)
        if ending and self._is_over(trial.id, ending) and position.ended != ending.ts:
            self._save(trial.id, self._settle(trial, position.copy(), ending))

    def _is_running(self, trial: str) -> bool:
        return self._store.lease_owner(layout.trial_lease(self._plan.study, trial)) is not None

    def _is_over(self, trial: str, ending: Ending | None) -> bool:
        """Whether an ending is that of the latest attempt: one older than the spool's last line is not."""
        if ending is None:
            return False
        slack_ms = 1000 if ending.status == "FINISHED" else 0  # its time is a file's, and their clock is coarser
        position = self._positions.get(trial)
        return position is None or ending.ts + slack_ms >= position.last_ts

    def _open(self, trial: PlannedTrial, started: int, born: int | None) -> Position:
        """Where the server is with this trial; its run is there afterwards. `born`: time of the spool's first line."""
        position = self._positions.get(trial.id)
        opened = position is not None
        if position is None:
            position = Position.load(self._store, self._offset_file(trial.id))
            if self._from_start:
                position = Position(run=position.run, born=position.born)
        if position.run is not None and None not in (born, position.born) and born != position.born:
            self._tracker.retire(position.run)
            position, opened = Position(), False
        if not opened:
            run = self._tracker.open_trial(trial, position.run, started)
            if run != position.run:
                position = Position(run=run)
            position.sieve.stride = stride_of(trial, self._plan)
        position.born = position.born if born is None else born
        self._positions[trial.id] = position
        return position

    def _send(self, position: Position, lines: Sequence[SpoolLine]) -> Position:
        """Send one batch, and return the position with it (still without the new offset)."""
        run = _run_of(position)
        points: list[Point] = []
        params: dict[str, str] = {}
        tags: dict[str, str] = {}
        files: dict[str, str | Path] = {}
        data: list[DataUse] = []
        status, status_ts = position.status, position.last_ts
        for line in lines:
            points += position.sieve.take(line)
            if is_of_machine(line):  # it may go on until its process is ended, when the failure is recorded already
                continue
            position.last_ts = max(position.last_ts, line["ts"])
            params |= line.get("params", {})
            tags |= line.get("tags", {})
            data += line.get("data", [])
            if "artifact" in line:
                artifact = line["artifact"]
                stored = self._store.path(artifact["path"]) if "path" in artifact else None
                files[artifact["name"]] = stored or artifact["text"]
            if "status" in line:
                status, status_ts = line["status"], line["ts"]
                points += position.sieve.flush() if status != "RUNNING" else []
            elif "step" in line and status != "RUNNING":
                status, status_ts = "RUNNING", line["ts"]  # a new attempt
        tags |= self._note_non_finite(position, points)
        self._log(run, points)
        if params or tags:
            self._attempt(f"run {run}: params and tags", partial(self._tracker.annotate, run, params, tags))
        if data:
            self._attempt(f"run {run}: data", partial(self._tracker.link_data, run, data))
        for name, content in files.items():
            self._attempt(f"run {run}: {name}", partial(self._tracker.attach, run, name, content))
        if status != position.status:
            self._tracker.set_status(run, status, status_ts)
            position.status = status
        return position

    def _log(self, run: str, points: Sequence[Point]) -> None:
        """Send points; of a batch that is refused, all but those that are refused by themselves."""
        if not points:
            return
        try:
            self._tracker.log(run, points)
        except TrackerRefusedError as refused:
            if len(points) == 1:
                self._notice_once(f"run {run}: {points[0].metric}: {refused}")
                return
            self._log(run, points[: len(points) // 2])
            self._log(run, points[len(points) // 2 :])
        else:
            self.points += len(points)

    def _note_non_finite(self, position: Position, points: Sequence[Point]) -> dict[str, str]:
        """Charts cannot show infinities, and NaN is easily overlooked: the first one becomes a tag."""
        first = next((point for point in points if not math.isfinite(point.value)), None)
        if first is None or position.non_finite:
            return {}
        position.non_finite = f"{first.metric} = {first.value} at step {first.step}"
        return {tracked_names.NON_FINITE: position.non_finite}

    def _settle(self, trial: PlannedTrial, position: Position, ending: Ending) -> Position:
        """Record how a trial ended: its last points, what went wrong, where its weights are, its status."""
        run = _run_of(position)
        self._log(run, position.sieve.flush())
        tags = {tracked_names.DIVERGED: "true", tracked_names.ERROR_CLASS: "diverged"} if ending.diverged else {}
        if ending.failure is None and position.ended is not None and not ending.diverged:
            tags |= {tracked_names.ERROR_CLASS: "none", tracked_names.ERROR: ""}  # of an earlier attempt
        if ending.failure is not None:
            tags |= {tracked_names.ERROR_CLASS: ending.failure.kind, tracked_names.ERROR: ending.failure.message}
            text = self._error_text(ending.failure)
            self._attempt(f"run {run}: error.txt", partial(self._tracker.attach, run, "error.txt", text))
        if tags:
            self._attempt(f"run {run}: tags", partial(self._tracker.annotate, run, {}, tags))
        if ending.status == "FINISHED" and not ending.diverged:
            folders = {key: self._store.path(layout.stage_folder(key)) for key in ending.stages}
            kept = {
                node.name: folders[key].as_uri()
                for node, key in zip(trial.stage_nodes(self._plan), ending.stages, strict=False)
                if folders[key].exists()
            }
            if kept:
                self._attempt(f"run {run}: model", partial(self._tracker.offer_model, run, trial, kept))
        self._tracker.set_status(run, ending.status, ending.ts)
        position.status, position.ended = ending.status, ending.ts
        return position

    def _error_text(self, failure: Failure) -> str:
        log = self._store.path(failure.log)
        tail = "\n".join(last_lines(log, LOG_LINES)) if failure.log else ""
        parts = [f"{failure.kind}: {failure.message}", failure.traceback, f"log: {log}", tail]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _show_progress(self, *, at_once: bool = False) -> None:
        endings = [self._ending(trial.id) for trial in self._plan.trials]
        positions = [self._positions.get(trial.id) for trial in self._plan.trials]
        done = sum(ending is not None and ending.status == "FINISHED" for ending in endings)
        failed = sum(ending is not None and ending.status == "FAILED" for ending in endings)
        running = sum(
            ending is None and position is not None and position.status == "RUNNING"
            for ending, position in zip(endings, positions, strict=True)
        )
        counts = {"done": done, "running": running, "failed": failed, "pending": len(endings) - done - running - failed}
        if counts == self._counts and not at_once and time.monotonic() < self._next_look:
            return
        began = time.monotonic()
        values: dict[str, float] = {**counts, "gpu_hours": sum(e.gpu_seconds for e in endings if e is not None) / 3600}
        eta = self._eta_s() if running and began >= self._next_look else None
        values |= {"eta_s": eta} if eta is not None else {} if running else {"eta_s": 0.0}
        self._tracker.show_progress(values)
        self._counts = counts
        took = time.monotonic() - began
        self._next_look = max(self._next_look, time.monotonic() + max(PROGRESS_EVERY_S, took / SHOWING_SHARE))

    def _eta_s(self) -> float | None:
        try:
            return study_status(self._plan, self._store).eta_s
        except InputError as error:  # a broken file on storage: whoever runs the study is told, records go on
            self._notice_once(f"progress: {error}")
            return None

    def _show_summary(self, *, at_once: bool = False) -> None:
        """What the finished trials show, whenever there are more of them."""
        finished = {
            trial: ending.ts for trial, ending in self._endings.items() if ending and ending.status == "FINISHED"
        }
        began = time.monotonic()
        if finished == (self._summarized or {}) or (began < self._next_summary and not at_once):
            return
        try:
            self._tracker.show_summary(summarize(self._study, self._plan, self._store))
        except InputError as error:
            self._notice_once(f"summary: {error}")
        self._summarized = finished
        self._next_summary = time.monotonic() + (time.monotonic() - began) / SHOWING_SHARE

    def _ending(self, trial: str) -> Ending | None:
        """The trial's ending as last read; None if it has since been taken up again."""
        ending, position = self._endings.get(trial), self._positions.get(trial)
        return None if ending and position and position.status == "RUNNING" else ending

    def _last_sign(self, trial: str) -> int:
        """When the trial last wrote to its spool, in milliseconds since the epoch; 0 if it never did."""
        try:
            return int(self._store.path(layout.spool(self._plan.study, trial)).stat().st_mtime * 1000)
        except FileNotFoundError:
            return 0

    def _offset_file(self, trial: str) -> str:
        return layout.upload_offset(self._tracker.server, self._plan.study, trial)

    def _save(self, trial: str, position: Position) -> None:
        put_json(self._store, self._offset_file(trial), asdict(position))
        self._positions[trial] = position

    def _attempt(self, what: str, action: Callable[[], None]) -> None:
        """One refused thing is noticed and passed over: the records stay on storage, and the rest goes on."""
        try:
            action()
        except TrackerRefusedError as refused:
            self._notice_once(f"{what}: {refused}")

    def _notice_once(self, text: str) -> None:
        if text not in self._noticed:
            self._noticed.add(text)
            self._notice(f"tracking: not recorded: {text}")


def _run_of(position: Position) -> str:
    if position.run is None:
        raise ValueError("a position has a run before anything is sent for it")
    return position.run


def sync_study(study: Study, plan: Plan, store: Store, tracker: Tracker, notice: Notice = lambda text: None) -> int:
    """Replay everything that storage holds of a study (`ablate sync`); returns the number of points sent.

    What the server has already stays as it is. Raises InputError if the server stops answering.
    """
    replay = Replay(tracker, store, study, plan, notice, from_start=True)
    try:
        replay.catch_up()
        replay.close(None)
    except TrackerAwayError as error:
        law = f"the tracking server must answer until everything is sent, but it says: {error}"
        raise InputError(law, key=plan.study, way_out="Run the same command again: nothing is doubled.") from error
    return replay.points
