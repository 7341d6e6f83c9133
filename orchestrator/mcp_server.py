"""Offer studies to language-model agents as tools of the Model Context Protocol: `ablate mcp`, over stdin and stdout.

A run outlives the server: it is a process of its own, which `stop` ends and the same call of `run` resumes.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from orchestrator import __version__
from orchestrator.analysis.stored_answers import Which
from orchestrator.json_text import json_text
from orchestrator.loaded_study import LoadedStudy, load
from orchestrator.running.storage_pause import StorageGoneError
from orchestrator.state.runs import ask_to_stop, living_runs
from orchestrator.storage.studies import overview
from search_spaces.errors import InputError
from search_spaces.expansion.expand import stored_name
from search_spaces.study_files import shipped_studies
from trainables.storage.store import LocalStore

P = ParamSpec("P")

MOST_ROWS = 50
"""Rows that an answer has at most: what an agent reads is paid by the word."""

LOG_LINES = 15
"""Last lines of a log that an ended run is told with."""

INSTRUCTIONS = """Ablation studies of vision-language models. A study is a YAML file, a shipped name, or one on storage.
Order of work: `plan` (what it takes), `run` with toy=true (a smoke test of seconds), `run`, `status` until every trial
is done, `verdicts`. A claim holds only where `holds` is true; `undecided` is no evidence of equality. `run` returns at
once, and the same call resumes what was interrupted; nothing is trained twice."""


@dataclass(frozen=True)
class StartedRun:
    """A run that this server has started. It may have ended, or not yet have told storage that it is there."""

    process: subprocess.Popen[bytes]
    log: Path
    events: Path

    @property
    def is_over(self) -> bool:
        """Whether its process has ended, or is about to: it has written its last event."""
        if self.process.poll() is not None:
            return True
        return self.events.exists() and '"event": "run ended"' in self.events.read_text()

    def as_json(self) -> dict[str, Any]:
        """Return its process, its files, and, where it has ended, its exit code and its last words."""
        code = self.process.poll()
        last = "" if code is None else "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES:])
        return {
            "pid": self.process.pid,
            "exit_code": code,
            "last_lines": last,
            "log": str(self.log),
            "events": str(self.events),
        }


@dataclass(frozen=True)
class StudyTools:
    """Tools over the studies of one storage. Each returns plain values, and raises InputError for a wrong input.

    Args:
        storage: root of the storage.
        data: folder in which relative paths of sources and weights start; None for the storage's own.
    """

    storage: Path
    data: Path | None
    started: dict[str, StartedRun] = field(default_factory=dict)
    """Study -> its last run that this server has started."""

    def list_studies(self) -> dict[str, Any]:
        """List the studies that ship with the program, and those that the storage holds with their state."""
        stored = overview(LocalStore(self.storage)).studies if self.storage.is_dir() else ()
        held = [
            {"study": each.study, "state": each.state, "trials": each.trials, "done": each.done, "failed": each.failed}
            for each in stored
        ]
        return {
            "shipped": list(shipped_studies()),
            "storage": held[:MOST_ROWS],
            "left_out": max(0, len(held) - MOST_ROWS),
        }

    def plan(self, study: str, overrides: Sequence[str] = (), toy: bool = False) -> dict[str, Any]:
        """Show what a study would do and take: arms, totals, what each claim can decide. Nothing is trained.

        `overrides` are KEY=VALUE pairs, such as "base.epochs=2".
        """
        planned = self._load(study, overrides, toy).plan()
        arms = [{"name": arm["name"], "difference": arm["difference"]} for arm in planned["arms"]]
        return {
            "study": planned["study"],
            "totals": planned["totals"],
            "arms": arms[:MOST_ROWS],
            "benchmarks": [benchmark["id"] for benchmark in planned["benchmarks"]],
            "power": planned["power"][:MOST_ROWS],
            "notes": planned["notes"],
            "left_out": max(0, len(arms) - MOST_ROWS),
        }

    def run(
        self,
        study: str,
        overrides: Sequence[str] = (),
        toy: bool = False,
        limit: int | None = None,
        address: str | None = None,
        offline: bool = True,
    ) -> dict[str, Any]:
        """Start what is left of a study in the background, and return at once. The same call resumes it.

        `limit` keeps the first so many trials; `address` names a running Ray cluster. Progress: `status`, which also
        tells the exit code of a run that has ended. While a run that was started here goes on, no other is started.
        """
        loaded = self._load(study, overrides, toy, limit)
        name = stored_name(loaded.study, toy=toy)
        before = self.started.get(name)
        if before is not None and before.process.poll() is None:
            return {"study": name, "already_running": True, **before.as_json()}
        folder = Path(tempfile.mkdtemp(prefix="ablate-run-"))
        log, events = folder / "log.txt", folder / "events.jsonl"
        command = [sys.executable, "-m", "orchestrator", "run", study, *loaded.options.flags(), "--events", str(events)]
        command += ["--offline"] if offline else []
        command += ["--address", address] if address is not None else []
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        threading.Thread(target=process.wait, daemon=True).start()  # so that it is gone once it has ended
        self.started[name] = StartedRun(process, log, events)
        return {"study": name, "already_running": False, **self.started[name].as_json()}

    def status(self, study: str, overrides: Sequence[str] = (), toy: bool = False) -> dict[str, Any]:
        """Show how far a study is: trials by state, steps, seconds left, why trials failed, how the last run ended."""
        status = self._load(study, overrides, toy).status()
        failed = [
            {"trial": trial.id, "arm": trial.arm, "seed": trial.seed, "failure": trial.failure, "log": trial.log}
            for trial in status.trials
            if trial.failure is not None
        ]
        return {
            "study": status.study,
            "counts": dict(status.counts),
            "steps_done": status.steps_done,
            "steps": status.steps,
            "eta_s": status.eta_s,
            "runs": list(status.runs),
            "last_run": self.started[status.study].as_json() if status.study in self.started else None,
            "failed": failed[:MOST_ROWS],
            "left_out": max(0, len(failed) - MOST_ROWS),
        }

    def verdicts(self, study: str, overrides: Sequence[str] = (), toy: bool = False) -> dict[str, Any]:
        """Judge the claims of a study by the scores that are there. A look at results is counted by the storage."""
        report = self._load(study, overrides, toy).report()
        judged = [
            {
                "id": verdict.id,
                "claim": verdict.claim,
                "verdict": verdict.verdict,
                "holds": verdict.holds,
                "sentence": verdict.sentence,
                "interval": verdict.interval,
                "n_seeds": verdict.n_seeds,
            }
            for verdict in report.verdicts.verdicts
        ]
        return {
            "study": report.study,
            "opening": report.verdicts.opening,
            "verdicts": judged[:MOST_ROWS],
            "notes": list(report.verdicts.notes),
            "left_out": max(0, len(judged) - MOST_ROWS),
        }

    def answers(
        self,
        study: str,
        benchmark: str | None = None,
        arm: str | None = None,
        which: Which = "differ",
        overrides: Sequence[str] = (),
        toy: bool = False,
        limit: int = 10,
    ) -> dict[str, Any]:
        """Show questions of a benchmark, the right answer, and what every arm and seed answered, scored 0 to 1.

        `which`: all; wrong, those that score below a half, the lowest first; differ, those on which arms differ most.
        """
        arms, benchmarks = (arm,) if arm is not None else (), (benchmark,) if benchmark is not None else ()
        shown = self._load(study, overrides, toy).answers(which=which, arms=arms, benchmarks=benchmarks, limit=limit)
        rows = [
            {"benchmark": each["benchmark"], **question} for each in shown["benchmarks"] for question in each["shown"]
        ]
        for row in rows:
            row["answers"], row["answers_left_out"] = (
                row["answers"][:MOST_ROWS],
                max(0, len(row["answers"]) - MOST_ROWS),
            )
        chosen = sum(each["chosen"] for each in shown["benchmarks"])
        kept = rows[:MOST_ROWS]
        return {"study": shown["study"], "questions": kept, "left_out": chosen - len(kept)}

    def stop(self, study: str, overrides: Sequence[str] = (), toy: bool = False) -> dict[str, Any]:
        """Ask every run of a study to end; running trials have a minute to reach a checkpoint. `run` goes on later."""
        name, store = stored_name(self._load(study, overrides, toy).study, toy=toy), LocalStore(self.storage)
        runs = living_runs(store, name)
        for run in runs:
            ask_to_stop(store, run, within_s=60.0)
        asked, own = [run.sentence for run in runs], self.started.get(name)
        if own is not None and not own.is_over and own.process.pid not in {run.owner.pid for run in runs}:
            own.process.terminate()  # it has not told storage yet that it is there
            asked.append(f"process {own.process.pid}, which was starting")
        return {"study": name, "asked": asked}

    def _load(self, study: str, overrides: Sequence[str], toy: bool, limit: int | None = None) -> LoadedStudy:
        return load(study, storage=self.storage, data=self.data, overrides=overrides, limit=limit, toy=toy)


def make_server(tools: StudyTools) -> MCPServer:
    """Make the server that offers the tools, each under its method's name and docstring."""
    server = MCPServer("ablate", version=__version__, instructions=INSTRUCTIONS, log_level="WARNING")
    for tool in (
        tools.list_studies,
        tools.plan,
        tools.run,
        tools.status,
        tools.verdicts,
        tools.answers,
        tools.stop,
    ):
        server.tool()(_refusing(tool))
    return server


def _refusing(tool: Callable[P, Any]) -> Callable[P, Any]:
    """Wrap a tool so that what is wrong with input or storage reaches the agent as text, and numbers are JSON's."""

    @functools.wraps(tool)
    def call(*args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return json.loads(json_text(tool(*args, **kwargs)))
        except (InputError, OSError, StorageGoneError) as error:
            raise ToolError(str(error)) from error

    return call
