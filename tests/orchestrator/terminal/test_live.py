"""The live view counts, names and ends trials, in a terminal and elsewhere."""

from __future__ import annotations

import io
import re
import threading
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.terminal.live import LiveView, Pace
from search_spaces.outcomes import UnitDone
from search_spaces.plan import Plan
from tests.support.small_plans import small_plan
from tests.support.small_records import failure
from trainables.storage import layout
from trainables.storage.store import LocalStore

PLAN = small_plan(resolutions=(64, 32), seeds=(7, 8))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def plain(plan: Plan = PLAN, **options: object) -> tuple[LiveView, io.StringIO, Clock]:
    out, clock = io.StringIO(), Clock()
    return LiveView(plan, Console(file=out, width=80), clock=clock, **options), out, clock  # type: ignore[arg-type]


def terminal(plan: Plan = PLAN, height: int = 30) -> tuple[LiveView, io.StringIO, Clock]:
    out, clock = io.StringIO(), Clock()
    console = Console(file=out, width=160, height=height, force_terminal=True, color_system=None, legacy_windows=False)
    return LiveView(plan, console, clock=clock), out, clock


def at_step(step: int, node: str = "stage-r64-s7") -> UnitDone:
    return UnitDone(node=node, label="finetune", step=step, steps=10, loss=0.51234, rate=80.26, eta_s=75)


def test_plain_output_tells_each_event_in_one_line() -> None:
    view, out, clock = plain()
    with view:
        view.trial_started("r32-s7")
        clock.now = 11
        view.progress("r32-s7", at_step(3))
        clock.now = 20
        view.node_done("r32-s7", "stage-r32-s7")
        clock.now = 90
        view.trial_done("r32-s7")
    assert out.getvalue().splitlines() == [
        "study small: 2 arms, 4 trials",
        "resolution=32px s7: started (r32-s7)",
        "resolution=32px s7: finetune, step 3/10, loss 0.5123, 80.3 samples/s, 0:01:15 left",
        "resolution=32px s7: finetune done in 20.0 s",
        "resolution=32px s7: done in 0:01:30 (1 of 4 trials)",
        "study small: 1 done, 0 failed, 3 not run, in 0:01:30",
    ]


def test_work_that_was_done_before_is_found_and_takes_no_time_of_its_own() -> None:
    view, out, clock = plain()
    with view:
        for clock.now in (0, 50):
            view.trial_started("r32-s7")
            clock.now += 20
            view.node_done("r32-s7", "stage-r32-s7")
    told = [line for line in out.getvalue().splitlines() if "finetune" in line]
    assert told == ["resolution=32px s7: finetune done in 20.0 s", "resolution=32px s7: finetune found on storage"]


def test_plain_output_shows_progress_of_a_trial_at_most_every_ten_seconds() -> None:
    view, out, clock = plain()
    with view:
        view.trial_started("r64-s7")
        for clock.now in range(1, 41):
            view.progress("r64-s7", at_step(5))
    assert out.getvalue().count("step 5/10") == 4


def test_failure_shows_the_last_lines_of_the_log_and_its_path(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    name = layout.worker_log("small", "r32-s7", 0)
    store.put(name, "".join(f"line {number}\n" for number in range(100)).encode())
    view, out, _ = plain(store=store)
    with view:
        view.trial_started("r32-s7")
        view.trial_failed("r32-s7", failure("r32-s7", log=name))
    text = out.getvalue()
    assert "resolution=32px s7: FAILED (lost): worker died" in text
    assert "    | line 99\n" in text
    assert "line 10\n" not in text
    assert f"    log: {tmp_path / name}\n" in text
    assert "0 done, 1 failed, 3 not run" in text


def test_failure_without_a_log_shows_its_traceback(tmp_path: Path) -> None:
    view, out, _ = plain(store=LocalStore(tmp_path))
    with view:
        view.trial_failed("r32-s7", failure("r32-s7", traceback="Traceback\nValueError: [bold]no markup[/bold]"))
    assert "    | ValueError: [bold]no markup[/bold]" in out.getvalue()


def test_trials_done_before_are_counted_and_not_shown_again() -> None:
    view, out, _ = plain(done=["r64-s7", "r64-s8", "another-study's"])
    with view:
        view.trial_started("r32-s7")
        view.trial_done("r32-s7")
    assert "study small: 2 arms, 4 trials, 2 of them done before" in out.getvalue()
    assert "(3 of 4 trials)" in out.getvalue()


def test_trial_that_succeeds_after_a_failure_is_not_counted_as_failed() -> None:
    view, out, _ = plain()
    with view:
        view.trial_failed("r32-s7", failure("r32-s7"))
        view.trial_started("r32-s7")
        view.trial_done("r32-s7")
    assert "1 done, 0 failed" in out.getvalue()


def test_report_that_comes_after_its_trial_ended_is_passed_over() -> None:
    view, out, clock = plain()
    with view:
        view.trial_started("r64-s7")
        view.trial_done("r64-s7")
        clock.now = 60
        view.progress("r64-s7", at_step(3))
    assert "step 3" not in out.getvalue()


def test_terminal_shows_running_trials_and_the_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TERM", raising=False)
    view, out, _ = terminal()
    with view:
        view.trial_started("r64-s7")
        view.progress("r64-s7", at_step(3))
        view.node_done("r64-s7", "stage-r64-s7")
    drawn = out.getvalue()
    assert re.search(r"base s7 +finetune +3/10 +0\.5123 +80\.3 +0:01:15", drawn)
    assert "0 of 4 trials, 1/8 pieces of work" in drawn


def test_terminal_with_more_trials_than_lines_says_how_many_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TERM", raising=False)
    plan = small_plan(resolutions=range(8, 8008, 8))  # type: ignore[arg-type]
    view, out, _ = terminal(plan, height=10)
    with view:
        for trial in plan.trials:
            view.trial_started(trial.id)
    assert "... and 994 more" in out.getvalue()
    last_frame = out.getvalue().split("\x1b[2K")[-1]
    assert len(last_frame.splitlines()) <= 10


def test_nothing_is_lost_when_many_threads_speak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TERM", raising=False)
    view, out, _ = terminal()

    def speak(name: int) -> None:
        for number in range(50):
            view.note(f"<{name}-{number}>")
            view.progress("r64-s7", at_step(number))

    with view:
        view.trial_started("r64-s7")
        threads = [threading.Thread(target=speak, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert set(re.findall(r"<\d+-\d+>", out.getvalue())) == {
        f"<{name}-{number}>" for name in range(4) for number in range(50)
    }


def test_pace_counts_stages_by_steps_and_divides_among_those_at_work() -> None:
    plan = small_plan(resolutions=(64, 32), steps=10)
    longer = small_plan(resolutions=(64,), steps=30).nodes["stage-r64-s7"]
    pace = Pace()
    assert pace.estimate([longer], at_once=1) is None
    pace.add(plan.nodes["stage-r64-s7"], 20.0)
    assert pace.estimate([longer], at_once=1) == 60.0
    assert pace.estimate([longer], at_once=2) == 30.0
    assert pace.estimate([longer, plan.nodes["evaluation-r64-s7"]], at_once=1) is None


def test_time_left_is_told_once_every_kind_of_work_was_seen() -> None:
    view, out, clock = plain(small_plan(resolutions=(64, 32)))
    with view:
        view.trial_started("r64-s7")
        clock.now = 10
        view.progress("r64-s7", at_step(10))
        view.node_done("r64-s7", "stage-r64-s7")
        clock.now = 15
        view.node_done("r64-s7", "evaluation-r64-s7")
        view.trial_done("r64-s7")
    assert "(1 of 2 trials, 15.0 s left)" in out.getvalue()
