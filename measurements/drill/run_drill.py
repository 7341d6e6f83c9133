"""Disturb whole `ablate run`s, and run the same command again: driver, workers, parts of Ray, MLflow's server, power.

A run takes part in the drill with all its processes, as they inherit its environment. At the chosen operation all of
them wait, something is killed, and the rest goes on.
"""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from measurements.drill.compare import compared, differences, findings, form_of
from measurements.drill.interposer import Control, Disturbance, compiled
from measurements.drill.leftovers import kill_processes, leftovers
from measurements.drill.operations import HIT, Record, read_log
from measurements.drill.outcome import OUTCOMES, Outcome, append_outcome, line_of, read_outcomes
from measurements.drill.power import StorageModel, cut_power
from measurements.drill.run_cases import SHAPES_OF_RUNS, VICTIMS, RunCase, Victim, run_cases
from measurements.drill.run_commands import TIMEOUT_S, Commands
from measurements.drill.run_progress import Moment
from measurements.drill.toy_study import CHECKPOINT_EVERY, SHAPES, PlannedShape, planned_shape
from measurements.drill.tracking_server import KillableServer, mlflow_history
from measurements.drill.victims import kill_victim
from orchestrator.exit_codes import EXIT_DONE
from trainables.storage import layout

MOST_COMMANDS = 4
POLL_S = 0.02
ROLE = "run"


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
    drill = RunDrill(folder)
    cases = run_cases(lambda shape: drill.undisturbed(shape)[1], victims, shapes, seed)
    for case in itertools.islice(cases, runs):
        if ("run", seed, case.number) not in known:
            outcome = drill.run(case)
            append_outcome(folder / OUTCOMES, outcome)
            tell(line_of(outcome))


class RunDrill:
    """Runner of cases below one folder, which also keeps the undisturbed runs.

    Args:
        folder: of storages; made if it is not there.
    """

    def __init__(self, folder: Path):
        self._folder, self._template = folder, folder / "template"
        self._template.mkdir(parents=True, exist_ok=True)
        self._library = compiled(folder)
        self._planned: dict[str, PlannedShape] = {}

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
            with Commands(root) as commands:
                code = commands.start(shape, control.environment(self._library, ROLE)).wait(TIMEOUT_S)
            if code != EXIT_DONE:
                raise RuntimeError(f"the undisturbed run of {shape} ended with {code}: see {root}/output.txt")
            (root / "done").touch()
        return root / "storage", list(read_log(root / "operations.tsv"))

    def run(self, case: RunCase) -> Outcome:
        """Run a case to its end and compare what came of it."""
        began = time.monotonic()
        work = self._folder / "work" / f"run-{case.number:04d}"
        storage = work / "storage"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(self._template, storage)
        with ExitStack() as stack:
            server = None
            if case.victim == "MLflow server KILL":
                server = stack.enter_context(KillableServer(work / "server", self._library, case.choice))
            commands = stack.enter_context(Commands(work, server.address if server is not None else ""))
            control = self._control(case, work)
            codes, moment = self._disturbed(case, commands, work, control, server)
            second = case.shape if codes[-1] == EXIT_DONE else case.second
            while codes[-1] != EXIT_DONE and len(codes) < MOST_COMMANDS:
                codes.append(commands.start(second).wait(TIMEOUT_S))
            if server is not None:  # a run may be over before its server is back: the next one sends what waits
                codes.append(commands.start(second).wait(TIMEOUT_S))
            found = leftovers(work, storage, commands.temporary)
        if codes[-1] != EXIT_DONE:
            found.append(f"not finished after {len(codes)} commands: {codes}")
        found += [f"stage {key[:8]} was done and was trained again" for key in sorted(moment.trained_again(storage))]
        lost, is_same_shape = moment.lost_steps(storage), second == case.shape
        if max(lost, default=0) > SHAPES[case.shape].most_steps_lost:
            found.append(f"work lost: {max(lost)} steps, with a checkpoint every {CHECKPOINT_EVERY}")
        database = server.database if server is not None else storage / layout.TRACKING_DATABASE
        differing, apart = self._compared(case.shape, storage, database, is_same_shape=is_same_shape)
        found += differing
        log = server.control.log if server is not None else control.log
        hit = next((record for record in read_log(log) if record.operation == HIT), None)
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
            second=second,
            file=hit.place.file if hit is not None else "not reached",
            operation=hit.place.operation if hit is not None else "",
            detail=case.mode or "",
            is_hit=hit is not None,
            codes=codes,
            differences=found,
            rounding=apart,
            lost_steps=lost,
            seconds=round(time.monotonic() - began, 1),
            storage=str(work) if found else "",
        )

    def _control(self, case: RunCase, work: Path) -> Control:
        """Make the control of a case's first command."""
        match case.victim:
            case "worker KILL":
                disturbance = Disturbance("kill", case.choice)
            case "MLflow server KILL":
                disturbance = Disturbance()
            case _:
                disturbance = Disturbance("hold", case.choice)
        return Control(work, work / "storage", disturbance, self._library, with_shadows=case.mode is not None)

    def _disturbed(
        self, case: RunCase, commands: Commands, work: Path, control: Control, server: KillableServer | None
    ) -> tuple[list[int], Moment]:
        """Run the command until it was disturbed and has ended; its exit codes, and the moment of the disturbance."""
        plan, storage = self.planned(case.shape).plan, work / "storage"
        driver = commands.start(case.shape, control.environment(self._library, ROLE))
        drivers = [driver]
        if case.victim == "driver KILL beside another":
            drivers.append(commands.start(case.shape))
        waiting = server.control if server is not None else control
        deadline = time.monotonic() + TIMEOUT_S
        while not waiting.is_hit and driver.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_S)
        moment = Moment.of(storage, plan)
        if waiting.is_hit:
            kill_victim(case.victim, driver, work, control, server)
        control.release()
        codes = [process.wait(TIMEOUT_S) for process in drivers]
        if case.mode is not None:
            kill_processes(work)
            model = StorageModel(self._template)
            for record in read_log(control.log):
                model.apply(record, control.shadows)
            changes = cut_power(storage, model, work / "cut", case.mode, case.seed)
            (work / "cut.txt").write_text("\n".join(changes))
            moment = replace(Moment.of(storage, plan), steps=moment.steps)
        return codes, moment

    def _compared(self, shape: str, storage: Path, database: Path, *, is_same_shape: bool) -> tuple[list[str], float]:
        """Compare a storage and its MLflow database with those of the undisturbed run of a shape."""
        undisturbed, plan = self.undisturbed(shape)[0], self.planned(shape).plan
        differing, apart = compared(findings(undisturbed, plan), findings(storage, plan), is_same_shape=is_same_shape)
        databases = (undisturbed / layout.TRACKING_DATABASE, database)
        ours, theirs = (mlflow_history(file) if is_same_shape else form_of(mlflow_history(file)) for file in databases)
        return differing + [f"MLflow: {difference}" for difference in differences(ours, theirs)], apart
