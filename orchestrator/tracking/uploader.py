"""Replay spools to a tracking server in a thread of the driver, while a study runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Self

import tenacity

from orchestrator.tracking.notices import Notice, NoticeOnce
from orchestrator.tracking.replay import Replay
from orchestrator.tracking.tracker import (
    Status,
    Tracker,
    TrackerAwayError,
    TrackerDeniedError,
    TrackerRefusedError,
)
from orchestrator.tracking.unclosed import mark_unclosed, remove_closed
from search_spaces.error_text import named_message
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from search_spaces.study import Study
from trainables.storage.store import Store

POLL_S = 2.0
"""Pause between two looks at the spools."""

BUSY_SHARE = 0.05
"""The pause grows with the CPU time that a look takes, so that looking never takes a larger share of one core."""


logger = logging.getLogger(__name__)


class Uploader:
    """Runs a replay in a thread of the driver. Nothing that happens to the server reaches the caller.

    As a context manager it runs while the block does; at the end all runs have their true status.

    Args:
        tracker: the server.
        store: the storage.
        study: the study, with its claims.
        plan: its plan.
        notice: shows a message about trouble.
        poll_s: seconds between two looks at the spools.
        sync_command: shown where something did not arrive; it sends the rest later.
    """

    def __init__(
        self,
        tracker: Tracker,
        store: Store,
        study: Study,
        plan: Plan,
        *,
        notice: Notice = print,
        poll_s: float = POLL_S,
        sync_command: str = "ablate sync STUDY",
    ):
        self._store, self._study, self._mark = store, plan.study, ""
        self._replay = Replay(tracker, store, study, plan, notice)
        self._notice, self._poll_s, self._sync_command = notice, poll_s, sync_command
        self._notice_once = NoticeOnce(notice, "tracking: ")
        self._thread = threading.Thread(target=self._work, name="uploader", daemon=True)
        self._wake = threading.Event()
        self._answer = threading.Condition()
        self._requested = 0
        self._answered = 0
        self._stopping = False
        self._status: Status | None = None
        self._is_closed = False

    def start(self) -> Self:
        """Start to replay the spools; a mark on storage says so until all runs are closed."""
        self._mark = mark_unclosed(self._store, self._study)
        self._thread.start()
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def drain(self, deadline_s: float) -> bool:
        """Wait until the server has what the spools hold now; False if that took longer than `deadline_s`."""
        with self._answer:
            self._requested += 1
            requested = self._requested
            self._wake.set()
            return self._answer.wait_for(lambda: self._answered >= requested, deadline_s)

    def stop(self, status: Status | None = None, *, deadline_s: float = 30.0) -> bool:
        """Send what is left, close all runs with their true status, end the thread.

        A trial whose lease a living driver holds runs on, and so does its run: release this driver's leases first.

        Args:
            status: of the study's run; None for what its trials say: FAILED if one has, else KILLED if one is missing.
            deadline_s: seconds after which the thread is left; what it did not send is sent by the next run or `sync`.

        Returns whether everything was sent and closed.
        """
        self._status = status
        self._stopping = True
        self._wake.set()
        self._thread.join(deadline_s)
        if missing := self._replay.unsent.sentence():
            self._notice(f"tracking: not everything was taken: {missing}. To send it again:  {self._sync_command}")
        if self._is_closed:
            remove_closed(self._store, self._study, self._mark)
        else:
            self._notice(f"tracking: not everything was sent. To send it later:  {self._sync_command}")
        return self._is_closed

    def _work(self) -> None:
        stale_closed = False
        while True:
            stopping, requested, began = self._stopping, self._requested, time.thread_time()
            try:
                self._repeat_until_taken(self._replay.catch_up)
                if stopping:
                    self._repeat_until_taken(partial(self._replay.close, self._status))
                    self._is_closed = True
                elif not stale_closed:
                    self._repeat_until_taken(self._replay.close_stale)
                    stale_closed = True
            except (TrackerAwayError, TrackerDeniedError):
                pass  # noticed when it went away; only given up because of `stop`
            except (TrackerRefusedError, InputError) as refused:
                self._notice_once(str(refused))
            except Exception as error:  # a defect here must not cost a study; it is said, and the spools keep all
                logger.debug("the uploader has failed", exc_info=True)
                self._notice_once(named_message(error))
            else:
                with self._answer:
                    self._answered = requested
                    self._answer.notify_all()
            if stopping:
                return
            if requested == self._requested:
                self._pause(max(self._poll_s, (time.thread_time() - began) / BUSY_SHARE))

    def _pause(self, seconds: float) -> None:
        self._wake.wait(0 if self._stopping else seconds)
        self._wake.clear()

    def _repeat_until_taken(self, action: Callable[[], None]) -> None:
        """Repeat while the server is away or takes nothing, ever more rarely; `drain` and `stop` cause an attempt."""
        before: set[type[BaseException]] = set()

        def notice(state: tenacity.RetryCallState) -> None:
            reason = state.outcome.exception() if state.outcome is not None else None
            if reason is None or type(reason) in before:
                return
            before.add(type(reason))
            trouble = "takes nothing from here" if isinstance(reason, TrackerDeniedError) else "is away"
            self._notice(f"tracking: the server {trouble} ({reason}); training goes on, the records wait in the spool")

        tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((TrackerAwayError, TrackerDeniedError)),
            wait=tenacity.wait_random_exponential(multiplier=1, min=self._poll_s, max=60),
            stop=lambda state: self._stopping,
            sleep=self._pause,
            before_sleep=notice,
            reraise=True,
        )(action)
        if before:
            self._notice("tracking: the server is back")
