"""What a person sees while a study runs: a table that lives at the bottom of a terminal, or plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from types import TracebackType
from typing import Self, assert_never

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.running.retry_policy import AfterStorage, Again, GivenUp
from orchestrator.running.trial_events import AttemptFailed, Blocked, Dispatched, TrialEvent
from orchestrator.state.failures import what_failed
from orchestrator.state.logs import last_lines
from orchestrator.terminal.failures import what_follows
from search_spaces.outcomes import AwaitsRoom, NodeDone, Started, TrialDone, UnitDone
from search_spaces.plan import Node, Plan
from search_spaces.quantities import clock_time, number_of
from trainables.storage.records import Failure
from trainables.storage.store import Store

FRAMES_PER_SECOND = 2
"""Drawing is done in a thread of rich; what is drawn changes hardly more often."""

PLAIN_PERIOD_S = 10.0
"""Pause between two plain progress lines of one trial."""

LOG_LINES = 15
"""Lines of the log that a failure prints."""


@dataclass
class _Running:
    name: str
    started: float
    node_started: float
    progress: UnitDone | None
    """None until its first unit of work is done."""
    last_line: float


class Pace:
    """Estimates the seconds that the rest of a study takes, from how long its finished nodes took.

    A stage counts by its steps; features and evaluations by the mean of their kind, as their size is not in the plan.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._amount: dict[str, float] = {}

    def add(self, node: Node, seconds: float) -> None:
        self._seconds[node.kind] = self._seconds.get(node.kind, 0) + seconds
        self._amount[node.kind] = self._amount.get(node.kind, 0) + (node.steps or 1)

    def estimate(self, nodes: Collection[Node], at_once: int) -> float | None:
        """Estimate the seconds of nodes with `at_once` trials at a time; None until each of their kinds was seen."""
        if any(node.kind not in self._seconds for node in nodes):
            return None
        rate = {kind: seconds / self._amount[kind] for kind, seconds in self._seconds.items()}
        return sum(rate[node.kind] * (node.steps or 1) for node in nodes) / max(1, at_once)


class LiveView:
    """Shows the events of a study as they happen. Its methods may be called from any thread.

    Args:
        plan: the study's plan.
        console: where to; a table if it is a terminal, else one line for each event.
        store: storage, so that a failure can show the last lines of its log.
        done: ids of trials that were done before this run.
        clock: seconds, from any beginning.
    """

    def __init__(
        self,
        plan: Plan,
        console: Console,
        *,
        store: Store | None = None,
        done: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ):
        self._plan, self._console, self._store, self._clock = plan, console, store, clock
        self._trials = {trial.id: trial for trial in plan.trials}
        self._running: dict[str, _Running] = {}
        self._done = set(done) & self._trials.keys()
        self._failed: set[str] = set()
        self._done_nodes = {node for trial in self._done for node in self._trials[trial].path}
        self._pace = Pace()
        self._started = clock()
        self._lock = threading.RLock()
        self._live = (
            Live(console=console, refresh_per_second=FRAMES_PER_SECOND, get_renderable=self._draw)
            if console.is_terminal and not console.is_dumb_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        count = number_of(len(self._trials), "trial") + (
            f", {len(self._done)} of them done before" if self._done else ""
        )
        self.note(f"study {self._plan.study}: {number_of(len(self._plan.arms), 'arm')}, {count}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop drawing, and print how far the study has come."""
        if self._live:
            self._live.stop()
        self.note(self._summary())

    def show(self, event: TrialEvent) -> None:
        """Show one event of the run."""
        match event.event:
            case Dispatched():
                self.trial_started(event.trial)
            case Started() | AwaitsRoom():
                pass
            case UnitDone() as progress:
                self.progress(event.trial, progress)
            case NodeDone(node):
                self.node_done(event.trial, node)
            case TrialDone():
                self.trial_done(event.trial)
            case AttemptFailed(failure, follows):
                match follows:
                    case GivenUp():
                        self.trial_failed(event.trial, failure)
                    case Again() | AfterStorage():
                        self.trial_goes_on(event.trial, failure, follows)
                    case _:
                        assert_never(follows)
            case Blocked(failure):
                self.trial_blocked(event.trial, failure)
            case _:
                assert_never(event.event)

    def trial_started(self, trial: str) -> None:
        with self._lock:
            now = self._clock()
            self._running[trial] = _Running(self._name(trial), now, now, None, now)
            self._failed.discard(trial)
        self._plain(f"{self._name(trial)}: started ({trial})")

    def progress(self, trial: str, progress: UnitDone) -> None:
        """Show the latest state of a running trial; whatever came before it is forgotten."""
        with self._lock:
            running = self._running.get(trial)
            if running is None:  # a report may arrive after its trial's end
                return
            running.progress = progress
            if self._clock() - running.last_line < PLAIN_PERIOD_S:
                return
            running.last_line = self._clock()
        self._plain(f"{running.name}: {self._progress_line(progress)}")

    def node_done(self, trial: str, node: str) -> None:
        """Show that a piece of work is finished, or was before. `node`: its id in the plan."""
        with self._lock:
            now, running, planned = self._clock(), self._running.get(trial), self._plan.nodes[node]
            was_done = node in self._done_nodes
            self._done_nodes.add(node)
            if running is None:
                return
            seconds = now - running.node_started
            worked_on = running.progress is not None and running.progress.node == node
            if not was_done and (planned.kind != "stage" or worked_on):  # else it was found done on storage
                self._pace.add(planned, seconds)
            running.node_started = running.last_line = now
        took = "found on storage" if was_done else f"done in {clock_time(seconds)}"
        self._plain(f"{running.name}: {planned.name} {took}")

    def trial_done(self, trial: str) -> None:
        with self._lock:
            running = self._running.pop(trial, None)
            self._done.add(trial)
            self._failed.discard(trial)
            self._done_nodes |= set(self._trials[trial].path)
            took = f" in {clock_time(self._clock() - running.started)}" if running else ""
            text = f"{self._name(trial)}: done{took} ({self._counts()})"
        self.note(text)

    def trial_goes_on(self, trial: str, failure: Failure, follows: Again | AfterStorage) -> None:
        """Show that an attempt has failed and what is done about it."""
        with self._lock:
            self._running.pop(trial, None)
        self.note(f"{self._name(trial)}: {failure.kind}: {what_failed(failure)}; {what_follows(failure, follows)}")

    def trial_failed(self, trial: str, failure: Failure) -> None:
        """Show what went wrong, the last lines of the log and where the rest of it is."""
        with self._lock:
            self._running.pop(trial, None)
            self._failed.add(trial)
        log, tail = failure.log, failure.traceback.splitlines()[-LOG_LINES:]
        if self._store and log:
            log, tail = self._store.place(log), last_lines(self._store, log, LOG_LINES)
        message = f"{self._name(trial)}: FAILED ({failure.kind}): {what_failed(failure)}"
        self.note("\n".join([message, *(f"    | {line}" for line in tail), f"    log: {log}"]))

    def trial_blocked(self, trial: str, failure: Failure) -> None:
        """Show that a trial is not started; why was said when its shape was rehearsed."""
        with self._lock:
            self._failed.add(trial)
        self.note(f"{self._name(trial)}: NOT STARTED ({failure.kind}), as the rehearsal of its shape failed")

    def note(self, text: str) -> None:
        """Print one message above the table, or a line of its own.

        Never called while holding the lock: printing waits for the drawing thread, which waits for the lock.
        """
        self._console.print(Text(text), soft_wrap=True)

    def _plain(self, text: str) -> None:
        """Print what the table shows anyway, where there is no table."""
        if self._live is None:
            self.note(text)

    def _name(self, trial: str) -> str:
        planned = self._trials[trial]
        return f"{planned.arm} s{planned.seed}"

    def _counts(self) -> str:
        failed = f", {len(self._failed)} failed" if self._failed else ""
        eta = self._eta()
        return f"{len(self._done)} of {len(self._trials)} trials{failed}" + (f", {clock_time(eta)} left" if eta else "")

    def _summary(self) -> str:
        missing = len(self._trials) - len(self._done) - len(self._failed)
        parts = [f"{len(self._done)} done", f"{len(self._failed)} failed", f"{missing} not run"]
        return f"study {self._plan.study}: {', '.join(parts)}, in {clock_time(self._clock() - self._started)}"

    def _eta(self) -> float | None:
        """Estimate the seconds until the study's end; None while that is not known."""
        ended = self._done | self._failed
        left = {node for trial in self._trials.values() if trial.id not in ended for node in trial.path}
        rest = self._pace.estimate([self._plan.nodes[node] for node in left - self._done_nodes], len(self._running))
        if rest is None:
            return None
        spent = [self._clock() - running.node_started for running in self._running.values()]
        return max(0.0, rest - sum(spent) / max(1, len(spent)))

    @staticmethod
    def _progress_line(progress: UnitDone) -> str:
        parts = [progress.label, f"step {progress.step}/{progress.steps}"]
        if progress.loss is not None:
            parts.append(f"loss {progress.loss:.4g}")
        if progress.rate is not None:
            parts.append(f"{progress.rate:.1f} samples/s")
        if progress.eta_s is not None:
            parts.append(f"{clock_time(progress.eta_s)} left")
        return ", ".join(parts)

    def _draw(self) -> RenderableType:
        with self._lock:
            table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
            table.add_column("trial", no_wrap=True, overflow="ellipsis", max_width=40)
            table.add_column("stage", no_wrap=True, overflow="ellipsis", max_width=28)
            for column in ("step", "loss", "samples/s", "left"):
                table.add_column(column, justify="right", no_wrap=True)
            room = max(1, self._console.height - 4)
            rows = sorted(self._running.values(), key=lambda running: running.started)
            for running in rows[:room]:
                table.add_row(running.name, *_cells(running.progress))
            if len(rows) > room:
                table.add_row(f"... and {len(rows) - room} more", "", "", "", "", "")
            ended = len(self._done) + len(self._failed)
            line = Table.grid(padding=(0, 1))
            bar = ProgressBar(total=max(1, len(self._plan.nodes)), completed=len(self._done_nodes), width=30)
            elapsed = clock_time(self._clock() - self._started)
            nodes = f"{len(self._done_nodes)}/{len(self._plan.nodes)} pieces of work"
            line.add_row(self._plan.study, bar, f"{self._counts()}, {nodes}, {elapsed} so far")
            return Group(table, line) if rows or ended < len(self._trials) else line


def _cells(progress: UnitDone | None) -> tuple[str, str, str, str, str]:
    """Write stage, step, loss, samples per second and time left of a running trial."""
    if progress is None:
        return "starting", "", "", "", ""
    return (
        progress.label,
        f"{progress.step}/{progress.steps}",
        "" if progress.loss is None else f"{progress.loss:.4g}",
        "" if progress.rate is None else f"{progress.rate:.1f}",
        "" if progress.eta_s is None else clock_time(progress.eta_s),
    )
