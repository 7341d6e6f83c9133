"""Disturb whole `ablate run`s, and run the same command again: driver, workers, parts of Ray, MLflow's server, power.

A run takes part in the drill with all its processes, as they inherit its environment. At the chosen operation all of
them wait, something is killed, and the rest goes on.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, NamedTuple, assert_never, get_args

import psutil

from measurements.drill.compare import differences, findings
from measurements.drill.interposer import Choice, Control, Disturbance, compiled
from measurements.drill.operations import HIT, Record, read_log
from measurements.drill.outcome import OUTCOMES, Outcome, append_outcome, line_of, read_outcomes
from measurements.drill.power import Mode, StorageModel, cut_power
from measurements.drill.toy_study import SHAPES, STUDY_FILE, PlannedShape, planned_shape
from measurements.drill.tracking_server import DATABASE, KillableServer, mlflow_history
from measurements.drill.worker_cases import choice_of
from orchestrator.exit_codes import EXIT_DONE
from trainables.storage import layout

Victim = Literal[
    "driver KILL",
    "driver TERM",
    "driver INT",
    "worker KILL",
    "raylet KILL",
    "GCS KILL",
    "MLflow server KILL",
    "power cut",
    "driver KILL beside another",
]
VICTIMS: tuple[Victim, ...] = get_args(Victim)

MOST_COMMANDS = 4
TIMEOUT_S = 900.0
POLL_S = 0.02
ROLE = "run"
SHAPES_OF_RUNS = ("1w-zero0", "2w-zero2", "1w-zero2", "1w-zero0")
"""In turns; two workers fill two CPUs."""

PLACES: dict[Victim, tuple[str, ...]] = {
    "worker KILL": ("checkpoint state", "stage weights", "features", "scores per example", "spool"),
    "MLflow server KILL": ("upload offsets",),
}
"""Kinds of file at which a victim is killed, where not all will do: those that only workers, or uploads, touch."""


class RunCase(NamedTuple):
    """One disturbance of a whole run."""

    number: int
    seed: int
    victim: Victim
    shape: str
    choice: Choice
    mode: Mode | None


def drill_runs(
    folder: Path,
    runs: int,
    seed: int,
    *,
    victims: Sequence[Victim] = VICTIMS,
    shapes: Sequence[str] = SHAPES_OF_RUNS,
    tell: Callable[[str], None] = print,
) -> None:
    """Run those of the first `runs` cases that have no outcome in the folder yet.

    Args:
        folder: of outcomes and storages.
        runs: number of cases.
        seed: of what is drawn.
        victims: what is killed, in turns.
        shapes: of the study's workers, in turns.
        tell: is told each outcome, in a line.
    """
    known = {(outcome.level, outcome.seed, outcome.number) for outcome in read_outcomes(folder / OUTCOMES)}
    with RunDrill(folder) as drill:
        for case in itertools.islice(run_cases(drill.undisturbed, victims, shapes, seed), runs):
            if ("run", seed, case.number) not in known:
                outcome = drill.run(case)
                append_outcome(folder / OUTCOMES, outcome)
                tell(line_of(outcome))


def run_cases(
    undisturbed: Callable[[str], tuple[Path, Sequence[Record]]],
    victims: Sequence[Victim],
    shapes: Sequence[str],
    seed: int,
) -> Iterator[RunCase]:
    """Choose cases without end: victims and shapes in turns, the operation by lot.

    Args:
        undisturbed: runs the study of a shape; returns its storage and its log.
        victims: what is killed.
        shapes: of the study's workers.
        seed: of what is drawn.
    """
    for number in itertools.count(1):
        draw = random.Random(f"run {seed} {number}")
        victim, shape = victims[(number - 1) % len(victims)], shapes[(number - 1) % len(shapes)]
        log = undisturbed(shape)[1]
        fit = [record for record in log if not record.error and _fits(record, victim)]
        kind = draw.choice(sorted({record.place.file for record in fit}))
        record = draw.choice([record for record in fit if record.place.file == kind])
        mode: Mode | None = draw.choice(("strict", "ordered", "torn")) if victim == "power cut" else None
        yield RunCase(number, seed, victim, shape, choice_of(record, log), mode)


def _fits(record: Record, victim: Victim) -> bool:
    wanted = PLACES.get(victim)
    return record.place.file not in ("other", "scratch of Tune") and (wanted is None or record.place.file in wanted)


class RunDrill:
    """Runner of cases below one folder, which also keeps the undisturbed runs. No run outlives its `with` block."""

    def __init__(self, folder: Path):
        self._folder, self._template = folder, folder / "template"
        self._template.mkdir(parents=True, exist_ok=True)
        self._library = compiled(folder)
        self._planned: dict[str, PlannedShape] = {}
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> RunDrill:
        return self

    def __exit__(self, *error: object) -> None:
        for run in self._started:
            if run.poll() is None:
                run.terminate()
                run.wait(TIMEOUT_S)

    def planned(self, shape: str) -> PlannedShape:
        """Plan the study for a shape, once."""
        if shape not in self._planned:
            self._planned[shape] = planned_shape(SHAPES[shape], self._template)
        return self._planned[shape]

    def undisturbed(self, shape: str) -> tuple[Path, Sequence[Record]]:
        """Run the study of a shape without any disturbance, unless that was done; return its storage and its log."""
        self.planned(shape)
        root = self._folder / "undisturbed runs" / shape
        if not (root / "done").exists():
            shutil.rmtree(root, ignore_errors=True)
            shutil.copytree(self._template, root / "storage")
            control = Control(root, root / "storage", Disturbance(), self._library)
            run = self._start(shape, root, control)
            if run.wait(TIMEOUT_S) != EXIT_DONE:
                raise RuntimeError(f"the undisturbed run of {shape} ended with {run.returncode}: see {root}/output.txt")
            (root / "done").touch()
        return root / "storage", list(read_log(root / "operations.tsv"))

    def run(self, case: RunCase) -> Outcome:
        """Run a case to its end and compare what came of it."""
        began = time.monotonic()
        work = self._folder / "work" / f"run-{case.number:04d}"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(self._template, work / "storage")
        disturbance = Disturbance("kill" if case.victim == "worker KILL" else "hold", case.choice)
        control = Control(work, work / "storage", disturbance, self._library, with_shadows=case.mode is not None)
        with ExitStack() as stack:
            server = stack.enter_context(KillableServer(work)) if case.victim == "MLflow server KILL" else None
            codes, trained = self._disturbed(case, work, control, server)
            while codes[-1] != EXIT_DONE and len(codes) < MOST_COMMANDS:
                codes.append(self._start(case.shape, work, None, server).wait(TIMEOUT_S))
        found = [] if codes[-1] == EXIT_DONE else [f"not finished after {len(codes)} commands: {codes}"]
        again = {key for key, times in _begun(work / "storage").items() if times > trained.get(key, times)}
        found += [f"stage {key[:8]} was done and was trained again" for key in sorted(again)]
        found += self._differences(case, work)
        hit = next((record for record in read_log(control.log) if record.operation == HIT), None)
        if found:
            (work / "differences.txt").write_text("\n".join(found))
        else:
            shutil.rmtree(work)
        return Outcome(
            level="run",
            seed=case.seed,
            number=case.number,
            kind=case.victim,
            shape=case.shape,
            second=case.shape,
            file=hit.place.file if hit is not None else "not reached",
            operation=hit.place.operation if hit is not None else "",
            detail=case.mode or "",
            is_hit=hit is not None,
            codes=codes,
            differences=found,
            seconds=round(time.monotonic() - began, 1),
            storage=str(work) if found else "",
        )

    def _start(
        self, shape: str, work: Path, control: Control | None, server: KillableServer | None = None
    ) -> subprocess.Popen[bytes]:
        """Start `ablate run`."""
        command = [sys.executable, "-m", "orchestrator", "run", str(STUDY_FILE), "--features", "cache", "--cpus", "2"]
        command += ["--storage", str(work / "storage")]
        command += [part for override in SHAPES[shape].overrides() for part in ("--set", override)]
        command += ["--tracking-uri", server.address] if server is not None else []
        environment = control.environment(self._library, ROLE) if control is not None else {}
        with (work / "output.txt").open("ab") as output:
            run = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            )
        self._started.append(run)
        return run

    def _disturbed(
        self, case: RunCase, work: Path, control: Control, server: KillableServer | None
    ) -> tuple[list[int], Counter[str]]:
        """Run the command until it was disturbed and has ended; its exit codes, and how often each stage was begun that
        was done at that moment."""
        run = self._start(case.shape, work, control, server)
        runs = [run]
        if case.victim == "driver KILL beside another":
            runs.append(self._start(case.shape, work, None))
        deadline = time.monotonic() + TIMEOUT_S
        while not control.is_hit and run.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_S)
        begun = _begun(work / "storage")
        done = {path.parent.name for path in (work / "storage").glob("stages/*/result.json")}
        if control.is_hit:
            self._act(case, run, control, server)
        control.release()
        codes = [process.wait(TIMEOUT_S) for process in runs]
        if case.mode is not None:
            for process in _taking_part(control):
                process.kill()
            model = StorageModel(self._template)
            for record in read_log(control.log):
                model.apply(record, control.shadows)
            changes = cut_power(work / "storage", model, work / "cut", case.mode, case.seed)
            (work / "cut.txt").write_text("\n".join(changes))
            done = {path.parent.name for path in (work / "storage").glob("stages/*/result.json")}
            begun = _begun(work / "storage")
        return codes, Counter({key: begun[key] for key in done})

    def _act(
        self, case: RunCase, run: subprocess.Popen[bytes], control: Control, server: KillableServer | None
    ) -> None:
        match case.victim:
            case "driver KILL" | "driver KILL beside another":
                run.send_signal(signal.SIGKILL)
            case "driver TERM":
                run.send_signal(signal.SIGTERM)
            case "driver INT":
                run.send_signal(signal.SIGINT)
            case "worker KILL":
                pass  # it has killed itself
            case "raylet KILL" | "GCS KILL":
                name = "raylet" if case.victim == "raylet KILL" else "gcs_server"
                for process in psutil.Process(run.pid).children(recursive=True):
                    if process.name().startswith(name):
                        process.kill()
            case "MLflow server KILL":
                assert server is not None
                server.kill_for_a_while(control.release)
            case "power cut":
                while processes := _taking_part(control):
                    for process in processes:
                        process.kill()
                    time.sleep(POLL_S)  # psutil would take the exit code of the driver
            case _:
                assert_never(case.victim)

    def _differences(self, case: RunCase, work: Path) -> list[str]:
        undisturbed, plan = self.undisturbed(case.shape)[0], self.planned(case.shape).plan
        found = differences(findings(undisturbed, plan), findings(work / "storage", plan))
        database = (
            work / DATABASE if case.victim == "MLflow server KILL" else work / "storage" / layout.TRACKING_DATABASE
        )
        ours, theirs = mlflow_history(undisturbed / layout.TRACKING_DATABASE), mlflow_history(database)
        names = sorted({*ours, *theirs})
        return found + [f"MLflow: {name}" for name in names if ours.get(name) != theirs.get(name)]


def _begun(storage: Path) -> Counter[str]:
    """Count in the workers' logs how often each stage was begun, by key."""
    text = "".join(log.read_text() for log in storage.glob("studies/*/trials/*/rank-0.log"))
    return Counter(line.split()[-1] for line in text.splitlines() if line.startswith("training stage "))


def _taking_part(control: Control) -> list[psutil.Process]:
    """Find the processes that obey a control file: those that have inherited it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("DRILL_CONTROL") == str(control.path):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found
