"""Run the commands about a study in this process, and keep all that they say.

`run` does what `ablate run` does of a study, trial by trial and without Ray; `sync` talks to a server in memory. All
others are the commands themselves.
"""

from __future__ import annotations

import functools
import io
import logging
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.exit_codes import EXIT_BAD_INPUT, EXIT_DONE, EXIT_TRIAL_FAILED
from orchestrator.planning import encoder_probe, weights_check
from orchestrator.planning.model_process import ask
from orchestrator.planning.planned import PlanOptions, expand, plan
from orchestrator.planning.preflight import known_digests, preflight
from orchestrator.reporting.build import build_report
from orchestrator.run_study import write_documents
from orchestrator.running.leases import Leases
from orchestrator.running.tasks import make_task, remaining_work
from orchestrator.state import losses
from orchestrator.state.ledger import Ledger, read_ledger
from orchestrator.state.superseded import set_aside_changed
from orchestrator.tracking.environment import storage_id
from orchestrator.tracking.sync import sync_study
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from search_spaces.study_files import load_study
from tests.support.memory_tracker import MemoryTracker
from trainables.run_trial import run_trial
from trainables.storage import layout
from trainables.storage.damages import DamagedArtifactError
from trainables.storage.record_files import write
from trainables.storage.store import LocalStore
from trainables.task import Context

STUDY_FILE = Path(__file__).with_name("study.yaml")

ATTEMPTS = 3
"""Of a trial: one that finds damage whose lease its run does not have is handed out again with it."""

_ask_once = functools.cache(ask)
"""Of programs whose answers are functions of the question alone, and which take seconds to load their libraries."""


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    code: int | None
    """Exit code; None if it ended with a traceback."""
    text: str
    """All that it wrote, and its warnings."""


def run_command(name: str, storage: Path) -> Said:
    """Run a command on a storage."""
    losses.forget()
    output = io.StringIO()
    asks = (patch.object(encoder_probe, "ask", _ask_once), patch.object(weights_check, "ask", _ask_once))
    with _warnings_to(output), redirect_stdout(output), redirect_stderr(output), asks[0], asks[1]:
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
        filled = [
            argument.format(study=STUDY_FILE, storage=storage, out=storage.parent / "out") for argument in arguments
        ]
        done = CliRunner().invoke(app, [*filled, "--storage", str(storage)])
        output.write(done.output)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code

    return invoke


def planned(storage: Path, *, reads_data: bool) -> tuple[Plan, dict[str, str]]:
    """Plan the study; with its data, or by what storage knows of them."""
    options = PlanOptions(storage, storage, features="cache")
    expansion, store = expand(load_study(str(STUDY_FILE)), options), LocalStore(storage)
    known = known_digests(store)
    if reads_data:
        known = preflight(expansion.specs(), expansion.evaluation_sets, store, storage, lambda line: None)
    return plan(expansion, options, known), known.digests


def _run(storage: Path, output: io.StringIO) -> int:
    study, store = load_study(str(STUDY_FILE)), LocalStore(storage)
    study_plan, digests = planned(storage, reads_data=True)
    ledger = read_ledger(study_plan, store, "content")
    set_aside_changed(study_plan, ledger, store)
    write_documents(study, study_plan, ledger, store)
    code = EXIT_DONE
    for _ in range(ATTEMPTS):
        failures = [error for error in _trials(study_plan, digests, ledger, storage) if error is not None]
        code = EXIT_TRIAL_FAILED if failures else EXIT_DONE
        for error in failures:
            output.write(f"{error}\n")
        if not failures:
            break
        study_plan, digests = planned(storage, reads_data=True)
        ledger = read_ledger(study_plan, store)
    build_report(study, study_plan, store, read_ledger(study_plan, store), "run")
    storage_id(storage)
    return code


def _trials(
    study_plan: Plan, digests: dict[str, str], ledger: Ledger, storage: Path
) -> Iterator[DamagedArtifactError | None]:
    """Run the trials that are left, each with the leases of what it lacks, as the dispatcher takes them."""
    store, trials = LocalStore(storage), {trial.id: trial for trial in study_plan.trials}
    for item in remaining_work(study_plan, ledger):
        trial = trials[item.trial_id]
        undone = [study_plan.nodes[name] for name in item.path if name not in ledger.done_nodes]
        produced = {node.id: node.key for node in undone if node.key is not None}
        leases = Leases(store)
        names = [layout.trial_lease(study_plan.study, trial.id), *produced.values()]
        assert leases.take(names) is None
        try:
            store.remove(layout.trial_failure(study_plan.study, trial.id))
            task = make_task(study_plan, trial, digests, storage, storage)
            task = task.model_copy(update={"leased": tuple(produced)})
            write(store, layout.trial_task(study_plan.study, trial.id), task)
            for _ in run_trial(task, Context()):
                pass
            yield None
        except DamagedArtifactError as error:
            yield error
        finally:
            leases.release_all()
        ledger = read_ledger(study_plan, store)


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


COMMANDS: dict[str, Callable[[Path, io.StringIO], int]] = {
    "plan": _cli("plan", "{study}", "--json", "--features", "cache"),
    "status": _cli("status", "{study}", "--json"),
    "report": _cli("report", "{study}", "--to", "json"),
    "verdicts": _cli("verdicts", "{study}", "--json"),
    "questions": _cli("questions", "{study}", "--json"),
    "sync": _sync,
    "export": _cli("export", "base", "--to", "hf-own-code", "--output", "{out}"),
    "run": _run,
}
"""Command -> what runs it. `run` stands for two columns: of a finished study, and of one that is half done."""


def normalised(said: Said, storage: Path) -> str:
    """Return the text of a command without what differs between two equal runs: the storage's place, and times."""
    text = said.text.replace(str(storage.parent), "")
    text = re.sub(r"\b1[0-9]{12}\b|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?\S*", "TIME", text)
    return re.sub(r"(seconds|samples_per_s|rate|wall|gpu)\S*:? ?[\d.e+-]+", r"\1", text)
