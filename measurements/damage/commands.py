"""Run the commands about a study in this process, and keep all that they say.

`run` does what `ablate run` does of a study, trial by trial and without Ray; `sync` talks to a server in memory, and to
the database on storage where that is what is damaged. All others are the commands themselves.
"""

from __future__ import annotations

import functools
import io
import itertools
import json
import logging
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from typer.testing import CliRunner

from measurements.damage.run_trials import run_study
from measurements.damage.study_plan import STUDY_FILE, planned
from orchestrator.cli import app
from orchestrator.exit_codes import EXIT_BAD_INPUT, EXIT_DONE
from orchestrator.planning import encoder_probe, weights_check
from orchestrator.planning.model_process import ask
from orchestrator.state import losses
from orchestrator.tracking.environment import storage_id
from orchestrator.tracking.sync import sync_study
from search_spaces.errors import InputError
from search_spaces.study_files import load_study
from tests.support.memory_tracker import MemoryTracker
from trainables.storage import lease_observer
from trainables.storage.store import LocalStore

_ask_once = functools.cache(ask)
"""Of programs whose answers are functions of the question alone, and which take seconds to load their libraries."""


@contextmanager
def _asking_once(program: str, **question: Any) -> Iterator[Callable[[], str]]:
    """Ask like `asking`, once for each question."""
    yield lambda: _ask_once(program, **question)


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    code: int | None
    """Exit code; None if it ended with a traceback."""
    text: str
    """All that it wrote, and its warnings."""


def run_command(name: str, storage: Path) -> Said:
    """Run a command on a storage. Between two looks at a lease as much time goes by as counts as silence at most."""
    losses.forget()
    output = io.StringIO()
    looks = itertools.count(step=lease_observer.LONGEST_GAP_S)
    with ExitStack() as stack:
        stack.enter_context(patch.object(encoder_probe, "ask", _ask_once))
        stack.enter_context(patch.object(weights_check, "asking", _asking_once))
        clock = SimpleNamespace(monotonic=lambda: float(next(looks)))
        stack.enter_context(patch.object(lease_observer, "time", clock))
        stack.enter_context(_warnings_to(output))
        stack.enter_context(redirect_stdout(output))
        stack.enter_context(redirect_stderr(output))
        try:
            code = COMMANDS[name](storage, output)
        except InputError as error:
            output.write(str(error))
            code = EXIT_BAD_INPUT
        except Exception:
            output.write(traceback.format_exc())
            return Said(None, output.getvalue())
    return Said(code, output.getvalue())


@contextmanager
def _warnings_to(output: io.StringIO) -> Iterator[None]:
    handler = logging.StreamHandler(output)
    handler.setLevel(logging.WARNING)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


def _cli(*arguments: str) -> Callable[[Path, io.StringIO], int]:
    def invoke(storage: Path, output: io.StringIO) -> int:
        places = {"study": STUDY_FILE, "out": storage.parent / "out", "trial": _last_trial(storage)}
        filled = [argument.format(**places) for argument in arguments]
        done = CliRunner().invoke(app, [*filled, "--storage", str(storage)])
        output.write(done.output)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code

    return invoke


def _last_trial(storage: Path) -> str:
    """Name the trial whose files are damaged; of a new storage, one that is not there."""
    return max((folder.name for folder in storage.glob("studies/*/trials/*")), default="none")


def _sync(storage: Path, output: io.StringIO) -> int:
    tracker = MemoryTracker()
    study_plan, _ = planned(storage, reads_data=False)
    storage_id(storage)
    notices: list[str] = []
    sync_study(load_study(str(STUDY_FILE)), study_plan, LocalStore(storage), tracker, notices.append)
    output.writelines(f"{notice}\n" for notice in notices)
    for trial, run in sorted(tracker.runs.items()):
        output.write(f"{trial} {tracker.status[run]} {sorted(tracker.points[run], key=str)}\n")
    return EXIT_DONE


def _run_and_sync(storage: Path, output: io.StringIO) -> int:
    return run_study(storage, output) or COMMANDS["sync to storage"](storage, output)


COMMANDS: dict[str, Callable[[Path, io.StringIO], int]] = {
    "plan": _cli("plan", "{study}", "--json", "--features", "cache"),
    "status": _cli("status", "{study}", "--json"),
    "report": _cli("report", "{study}", "--to", "json"),
    "verdicts": _cli("verdicts", "{study}", "--json"),
    "questions": _cli("questions", "{study}", "--json"),
    "logs": _cli("logs", "{trial}"),
    "studies": _cli("studies", "--json"),
    "stop": _cli("stop", "{study}", "--json"),
    "doctor": _cli("doctor", "{study}", "--offline", "--json"),
    "doctor of storage": _cli("doctor", "{study}", "--json"),
    "verify": _cli("verify", "--json"),
    "gc": _cli("gc", "--yes", "--grace", "0", "--json"),
    "sync": _sync,
    "sync to storage": _cli("sync", "{study}", "--features", "cache"),
    "export": _cli("export", "base", "--to", "hf-own-code", "--output", "{out}"),
    "run": run_study,
    "run and sync to storage": _run_and_sync,
}
"""Command -> what runs it. `run` stands for two columns: of a finished study, and of one that is half done."""

_MEASURED = r"(seconds|samples_per_s|rate|wall|gpu|\w*silent_s|\w*bytes|files|whole|newest|changed)\S*:? ?[\d.e+-]+"
"""Numbers that two equal runs do not share, and sizes of files: what is damaged may be smaller."""


def normalised(said: Said, command: str, storage: Path) -> str:
    """Return the text of a command without what differs between two equal runs: the storage's place, times, sizes.

    Of `doctor`, which measures the machine, only whether each thing that it looks at is right or fails.
    """
    if command.startswith("doctor") and said.code is not None:
        findings = json.loads(said.text[said.text.index("{") : said.text.rindex("}") + 1])["findings"]
        return "\n".join(f"{finding['area']}: {finding['state']}" for finding in findings).replace("slow", "right")
    text = said.text.replace(str(storage.parent), "")
    text = re.sub(r"\b1[0-9]{12}\b|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?\S*", "TIME", text)
    return re.sub(_MEASURED, r"\1", text)
