"""Send the spools on storage to a tracking server; sending them again changes nothing.

Workers never talk to the server. They append records to a spool (`trainables.storage.records`), and what is here sends
them on, with the byte offset up to which a server has them kept on storage. Sending a record twice changes nothing, so
an offset is written only after the server has taken what lies before it. A server that is away costs nothing: the spool
waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path, PurePath

from orchestrator.state.documents import study_documents
from orchestrator.tracking.endings import Ending, checkpoints_of, ending_tags, error_text, read_ending
from orchestrator.tracking.environment import environment_json
from orchestrator.tracking.notices import Notice, NoticeOnce
from orchestrator.tracking.sender import Sender
from orchestrator.tracking.spool_batch import gather
from orchestrator.tracking.study_progress import StudyProgress, TrialProgress
from orchestrator.tracking.tracker import Status, Tracker, TrackerAwayError, TrackerDeniedError, TrackerGoneError
from orchestrator.tracking.upload_cursor import UploadCursor, load_cursor, save_cursor, stride_of
from search_spaces.error_text import named_message
from search_spaces.plan import Plan, PlannedTrial
from search_spaces.study import Study
from trainables.storage import layout
from trainables.storage.spool import SpoolLine, read_spool
from trainables.storage.store import Store

LINES_PER_BATCH = 1_000


class Replay:
    """Brings a tracking server up to what storage holds of one study. Not thread-safe; `Uploader` owns one."""

    def __init__(
        self, tracker: Tracker, store: Store, study: Study, plan: Plan, notice: Notice, *, from_start: bool = False
    ):
        self._tracker, self._store, self._plan, self._notice = tracker, store, plan, notice
        self._from_start = from_start
        self._sender, self._notice_once = Sender(tracker, notice), NoticeOnce(notice, "tracking: ")
        self.unsent = self._sender.unsent
        """What the server did not take so far."""
        self._progress = StudyProgress(tracker, store, study, plan, self._sender)
        self._cursors: dict[str, UploadCursor] = {}
        self._seen: dict[str, tuple[float, ...]] = {}
        self._endings: dict[str, Ending | None] = {}
        self._undescribed: set[str] = set()
        """Ids of trials whose runs have no description yet: it goes with the first files that are sent."""
        self._study_is_open = False

    @property
    def points(self) -> int:
        """Number of points sent so far."""
        return self._sender.points

    def catch_up(self) -> None:
        """Send everything that is new; calling again goes on where it stopped.

        Raises:
            TrackerAwayError: the server does not answer.
            TrackerDeniedError: it takes nothing from this client.
        """
        self._open_study()
        for trial in self._plan.trials:
            seen = self._signature(trial.id)
            if not any(seen) or self._seen.get(trial.id) == seen:
                continue
            self._sender.attempt("trial", f"trial {trial.id}", partial(self._catch_up_run, trial))
            self._seen[trial.id] = seen
        self._progress.show_counts(self._trial_progress())
        self._progress.show_summary(self._endings)

    def close_stale(self) -> None:
        """Give every open run of a trial that does not run its true status: that of storage, else KILLED."""
        self._open_study()
        for trial, run in self._tracker.unfinished().items():
            ending = read_ending(self._store, self._plan.study, trial)
            if self._is_running(trial) and not self._is_over(trial, ending):
                continue
            ending = ending or Ending("KILLED", self._last_sign(trial))
            self._sender.attempt("trial", f"trial {trial}", partial(self._close_run, trial, run, ending))

    def close(self, status: Status | None) -> None:
        """Close the runs of trials that do not run, and the study's; None derives its status from its trials. What is
        shown of the whole study comes last: a run must not stay open because a summary takes long."""
        if self._sender.saw_passing:
            self._send_again()
        self.close_stale()
        self._progress.show_counts(self._trial_progress(), at_once=True)
        counts = self._progress.counts
        if status is None and not any(self._is_running(trial.id) for trial in self._plan.trials):
            missing = counts.get("pending", 0) + counts.get("running", 0)
            status = "FAILED" if counts.get("failed") else "KILLED" if missing else "FINISHED"
        if status is not None:  # else another driver will close it
            self._sender.attempt("view", "status of the study", partial(self._tracker.close_study, status))
        self._progress.show_summary(self._endings, at_once=True)
        self._write_views()

    def _send_again(self) -> None:
        """Send once more what was refused for a reason that may have passed, with all of the trials that it is of."""
        self._sender.saw_passing = False
        self._attach_documents()
        for trial, cursor in list(self._cursors.items()):
            if cursor.unsent:
                del self._cursors[trial]
                self._seen.pop(trial, None)
        self.catch_up()

    def _open_study(self) -> None:
        if self._study_is_open:
            return
        for remark in self._tracker.open_study(self._plan):
            self._notice(f"tracking: {remark}")
        self._attach_documents()
        self._write_views()
        self._study_is_open = True

    def _attach_documents(self) -> None:
        documents = study_documents(self._store, self._plan.study)
        self._sender.attach(None, {**documents, "environment.json": environment_json()})

    def _write_views(self) -> None:
        """Write the saved views, a convenience: whatever goes wrong with them, the records go on."""
        try:
            remarks = self._tracker.write_views()
        except (TrackerAwayError, TrackerDeniedError):
            raise
        except Exception as error:
            self.unsent.add("view", "saved views", named_message(error))
            return
        for remark in remarks:
            self._notice_once(f"saved views: {remark}")

    def _signature(self, trial: str) -> tuple[float, ...]:
        """Return what changes whenever there may be something new of a trial.

        Three calls of `stat`, because studies have thousands of trials; spools of other nodes are looked at whenever
        the trial's own grows.
        """
        study = self._plan.study
        names = (layout.spool(study, trial), layout.trial_result(study, trial), layout.trial_failure(study, trial))
        signature: list[float] = []
        for name in names:
            try:
                signature += self._store.facts(name)[:2]
            except FileNotFoundError:
                signature += (0, 0)
        return tuple(signature)

    def _catch_up_run(self, trial: PlannedTrial) -> None:
        """Send what is new of a trial; into another run where somebody has deleted its own meanwhile."""
        try:
            self._catch_up_trial(trial)
        except TrackerGoneError:
            if self._cursors.pop(trial.id, None) is None:  # no run can be made, either
                raise
            self._catch_up_trial(trial)

    def _close_run(self, trial: str, run: str, ending: Ending) -> None:
        planned = next((planned for planned in self._plan.trials if planned.id == trial), None)
        if planned is None:
            self._tracker.set_status(run, ending.status, ending.ts)
            return
        cursor = self._open(planned, ending.ts, None).copy()
        self._save(trial, self._settle(planned, cursor, ending))

    def _catch_up_trial(self, trial: PlannedTrial) -> None:
        spool = layout.spool(self._plan.study, trial.id)
        ending = self._endings[trial.id] = read_ending(self._store, self._plan.study, trial.id)
        first = next(read_spool(self._store, spool), None) if self._store.exists(spool) else None
        if first is None and ending is None:
            return
        born = first[1]["ts"] if first else None
        cursor = self._open(trial, born or (ending.ts if ending else 0), born)
        while batch := list(islice(read_spool(self._store, spool, cursor.offset), LINES_PER_BATCH)) if first else []:
            cursor = self._send(trial, cursor.copy(), [line for _, line in batch], ending)
            cursor.offset = batch[-1][0]
            self._save(trial.id, cursor)
        for name in layout.node_spools(self._store.list(layout.trial_folder(self._plan.study, trial.id))):
            node = PurePath(name).name
            if batch := list(read_spool(self._store, name, cursor.nodes.get(node, 0))):
                cursor = cursor.copy()
                points = [point for _, line in batch for point in cursor.sieve.take(line)]
                cursor.unsent |= self._sender.log(cursor.known_run, points)
                cursor.nodes[node] = batch[-1][0]
                self._save(trial.id, cursor)
        if ending and self._is_over(trial.id, ending) and cursor.ended != ending.ts:
            self._save(trial.id, self._settle(trial, cursor.copy(), ending))

    def _is_running(self, trial: str) -> bool:
        return self._store.lease_owner(layout.trial_lease(self._plan.study, trial)) is not None

    def _is_over(self, trial: str, ending: Ending | None) -> bool:
        """Say whether an ending is that of the latest attempt: one older than the spool's last line is not."""
        cursor = self._cursors.get(trial)
        return ending is not None and (cursor is None or ending.follows(cursor.last_ts))

    def _open(self, trial: PlannedTrial, started: int, born: int | None) -> UploadCursor:
        """Return how far the server is with this trial; its run is there afterwards.

        Args:
            trial: the trial.
            started: when, in milliseconds since the epoch: for a run that is not there yet.
            born: time of the spool's first line; None where it has none.
        """
        cursor = self._cursors.get(trial.id)
        opened = cursor is not None
        if cursor is None:
            cursor = load_cursor(self._store, self._tracker.server, self._plan.study, trial.id)
            if self._from_start or cursor.unsent:
                cursor = UploadCursor(run=cursor.run, born=cursor.born, has_failed=cursor.has_failed)
        if cursor.run is not None and None not in (born, cursor.born) and born != cursor.born:
            self._tracker.retire(cursor.run)
            cursor, opened = UploadCursor(), False
        if not opened:
            run = self._tracker.open_trial(trial, cursor.run, started)
            if run != cursor.run:
                cursor = UploadCursor(run=run)
            if not cursor.offset:
                self._undescribed.add(trial.id)
            cursor.sieve.stride = stride_of(trial, self._plan)
        cursor.born = cursor.born if born is None else born
        self._cursors[trial.id] = cursor
        return cursor

    def _send(
        self, trial: PlannedTrial, cursor: UploadCursor, lines: Sequence[SpoolLine], ending: Ending | None
    ) -> UploadCursor:
        """Send one batch, and return the cursor with it (still without the new offset).

        Args:
            trial: whose lines they are.
            cursor: how far the server is; it is changed.
            lines: that follow.
            ending: of the trial, as far as storage knows it: its tags are sent with the last line, and its status by
                `_settle` and not by that line.
        """
        run, batch, sender = cursor.known_run, gather(lines, cursor, self._store), self._sender
        is_settled_next = False
        if ending is not None and ending.status == batch.status and ending.ts != cursor.ended:
            is_settled_next = ending.follows(cursor.last_ts)
        if ending is not None and is_settled_next:
            batch.tags |= self._ending_tags(trial, cursor, ending)
            cursor.tagged = ending.ts
        again = sender.log(run, batch.points, batch.params, batch.tags)
        if batch.data:
            link = partial(self._tracker.link_data, run, batch.data)
            again |= sender.attempt("list of data", f"data of run {run}", link)
        cursor.unsent |= again | self._attach(run, trial, batch.files)
        if batch.status != cursor.status and not is_settled_next:
            self._tracker.set_status(run, batch.status, batch.status_ts)
        cursor.status = batch.status
        return cursor

    def _attach(self, run: str, trial: PlannedTrial, files: Mapping[str, str | Path]) -> bool:
        """Attach files, with the first ones what the trial is and where its study is driven.

        Args:
            run: id of the trial's run.
            trial: whose run it is.
            files: name -> text of the file, or where it is.

        Returns whether that should be done again.
        """
        if trial.id in self._undescribed:
            files = {"spec.json": trial.spec.as_json(), "environment.json": environment_json(), **files}
        again = self._sender.attach(run, files) if files else False
        self._undescribed.discard(trial.id)
        return again

    def _settle(self, trial: PlannedTrial, cursor: UploadCursor, ending: Ending) -> UploadCursor:
        """Record how a trial ended: its last points, what went wrong, where its weights are, its status."""
        run, sender = cursor.known_run, self._sender
        if ending.status == "FINISHED" and cursor.status != "FINISHED" and not self._is_running(trial.id):
            place = self._store.place(layout.spool(self._plan.study, trial.id))
            self._notice_once(f"{place}: must end with the end of the trial, but does not; what it holds is shown")
        tags = {} if cursor.tagged == ending.ts else self._ending_tags(trial, cursor, ending)
        again = sender.log(run, cursor.sieve.flush(), tags=tags)
        failure = ending.failure
        again |= self._attach(run, trial, {} if failure is None else {"error.txt": error_text(failure, self._store)})
        if checkpoints := checkpoints_of(trial, ending, self._plan, self._store):
            offer = partial(self._tracker.offer_model, run, trial, checkpoints)
            again |= sender.attempt("model", f"model of run {run}", offer)
        cursor.unsent |= again
        self._tracker.set_status(run, ending.status, ending.ts)
        cursor.status, cursor.ended, cursor.has_failed = ending.status, ending.ts, ending.failure is not None
        return cursor

    def _ending_tags(self, trial: PlannedTrial, cursor: UploadCursor, ending: Ending) -> dict[str, str]:
        checkpoints = checkpoints_of(trial, ending, self._plan, self._store)
        return ending_tags(ending, checkpoints, is_first=cursor.ended is None and not cursor.has_failed)

    def _trial_progress(self) -> list[TrialProgress]:
        progress = []
        for trial in self._plan.trials:
            ending, cursor = self._ending(trial.id), self._cursors.get(trial.id)
            is_running = ending is None and cursor is not None and cursor.status == "RUNNING"
            progress.append(TrialProgress(ending, is_running))
        return progress

    def _ending(self, trial: str) -> Ending | None:
        """Return the trial's ending as last read; None if it has since been taken up again."""
        ending, cursor = self._endings.get(trial), self._cursors.get(trial)
        return None if ending and cursor and cursor.status == "RUNNING" else ending

    def _last_sign(self, trial: str) -> int:
        """Return when the trial last wrote to its spool, in milliseconds since the epoch; 0 if it never did."""
        try:
            return int(self._store.facts(layout.spool(self._plan.study, trial)).modified * 1000)
        except FileNotFoundError:
            return 0

    def _save(self, trial: str, cursor: UploadCursor) -> None:
        save_cursor(self._store, self._tracker.server, self._plan.study, trial, cursor)
        self._cursors[trial] = cursor
