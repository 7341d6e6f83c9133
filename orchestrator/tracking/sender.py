"""Send single things to a tracking server, so that what it refuses does not keep the rest from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from orchestrator.tracking.notices import Notice
from orchestrator.tracking.tracker import NONE, Point, Tracker, TrackerGoneError, TrackerRefusedError
from orchestrator.tracking.unsent import Kind, Unsent

_MAY_BE_MENDED: tuple[Kind, ...] = ("file", "model")
"""What another session sends again, whatever the reason: a person may have made the place for files writable."""

_NEEDS_ITS_RUN: tuple[Kind, ...] = ("value of a metric", "set of parameters and tags")
"""What is sent again as a whole trial where the run that it is for is gone."""


class Sender:
    """Sends one thing after the other. What is refused is counted in `unsent`, and the next thing is sent.

    Args:
        tracker: the server.
        notice: shows a message about what is refused first.
    """

    def __init__(self, tracker: Tracker, notice: Notice):
        self._tracker = tracker
        self.unsent = Unsent(notice)
        self.points = 0
        """Points sent so far."""
        self.saw_passing = False
        """Whether something was refused that may be taken later."""

    def log(
        self, run: str, points: Sequence[Point], params: Mapping[str, str] = NONE, tags: Mapping[str, str] = NONE
    ) -> bool:
        """Send points, with parameters and tags; of a batch that is refused, all that is not refused by itself.

        Args:
            run: id of the run.
            points: of its metrics.
            params: name -> value.
            tags: name -> value.

        Returns whether they should be sent again in another session.

        Raises:
            TrackerGoneError: the run is not there any more.
        """
        if not (points or params or tags):
            return False
        try:
            self._tracker.log(run, points, params, tags)
        except TrackerGoneError:
            raise
        except TrackerRefusedError as refused:
            if not points:
                return self._count("set of parameters and tags", f"params and tags of run {run}", refused)
            if params or tags:
                first = self.log(run, [], params, tags)
                return self.log(run, points) or first
            if len(points) == 1:
                return self._count("value of a metric", f"{points[0].metric} of run {run}", refused)
            first = self.log(run, points[: len(points) // 2])
            return self.log(run, points[len(points) // 2 :]) or first
        self.points += len(points)
        return False

    def attach(self, run: str | None, files: Mapping[str, str | Path]) -> bool:
        """Attach files to a run; of several that are refused, each by itself.

        None is tried any more where the server takes no files at all.

        Args:
            run: its id; None for the study's own.
            files: name -> text of the file, or where it is.

        Returns whether they should be sent again in another session.
        """
        if not self.unsent.takes_no_files and len(files) > 1:
            try:
                self._tracker.attach(run, files)
            except TrackerRefusedError:
                pass
            else:
                self.unsent.file_taken()
                return False
        again = [self._attach_one(run, name, content) for name, content in files.items()]
        return any(again)

    def _attach_one(self, run: str | None, name: str, content: str | Path) -> bool:
        if self.unsent.takes_no_files:
            self.unsent.skip_file()
            return True
        of_run = "of the study" if run is None else f"of run {run}"
        again = self.attempt("file", f"{name} {of_run}", partial(self._tracker.attach, run, {name: content}))
        if not again:
            self.unsent.file_taken()
        return again

    def attempt(self, kind: Kind, name: str, action: Callable[[], object]) -> bool:
        """Do one thing; if it is refused, count it and go on: the records stay on storage.

        Args:
            kind: of what is sent.
            name: of it.
            action: sends it.

        Returns whether it should be sent again in another session.

        Raises:
            TrackerGoneError: of what a trial's run must have, where the run is not there any more.
        """
        try:
            action()
        except TrackerRefusedError as refused:
            if isinstance(refused, TrackerGoneError) and kind in _NEEDS_ITS_RUN:
                raise
            return self._count(kind, name, refused)
        return False

    def _count(self, kind: Kind, name: str, refused: TrackerRefusedError) -> bool:
        self.unsent.add(kind, name, refused)
        self.saw_passing |= refused.passing
        return refused.passing or kind in _MAY_BE_MENDED
