"""Run cases in processes that are forked from one which has loaded all libraries: one case takes seconds.

``python -m measurements.drill.worker_server FOLDER DESCRIPTOR`` is started by the drill with the library preloaded. It
reads a case a line from its input (pickled, in hex) and answers with its outcome, as JSON, on the file descriptor.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import json
import os
import pickle
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import deepspeed.runtime.zero.muon.muon_optimizer  # noqa: F401  # what each process would load anew with ZeRO
import PIL.Image

import trainables.run_trial
import trainables.training.engine  # noqa: F401  # loaded before the first fork
from measurements.drill.compare import compared, findings
from measurements.drill.interposer import Control, Disturbance, compiled
from measurements.drill.operations import HIT, Record, read_log
from measurements.drill.outcome import Outcome
from measurements.drill.power import StorageModel, cut_power
from measurements.drill.toy_study import CHECKPOINT_EVERY, SHAPES, PlannedShape, planned_shape
from measurements.drill.worker_cases import Case
from measurements.drill.worker_command import run_command
from orchestrator.exit_codes import EXIT_DONE
from trainables.model.vlm import build_modules
from trainables.storage.store import LocalStore
from trainables.trial_data import TrialData

MOST_COMMANDS = 4
"""A study that is not finished by then counts as wedged."""
TIMEOUT_S = 600.0
HUNG = 124
"""Instead of the exit code of a command that had to be ended after `TIMEOUT_S`."""
DUMP_S = 2.0
"""For the processes of such a command to write their stacks."""
POLL_S = 0.005
_PR_SET_CHILD_SUBREAPER = 36


class WorkerServer:
    """Runner of cases below one folder.

    Args:
        folder: with `template`, a storage that holds the study's data; results of undisturbed runs are kept in it.
    """

    def __init__(self, folder: Path):
        self._folder, self._template = folder, folder / "template"
        self._library = compiled(folder)
        self._planned: dict[str, PlannedShape] = {}
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def planned(self, shape: str) -> PlannedShape:
        """Plan the study for a shape, once."""
        if shape not in self._planned:
            planned = self._planned[shape] = planned_shape(SHAPES[shape], self._template)
            task = planned.task(planned.plan.trials[0].id, self._template)
            tokenizer = TrialData(task, LocalStore(self._template)).tokenizer
            build_modules(task.trial, tokenizer, self._template, with_vision=True)  # loads what is loaded late
            PIL.Image.init()
            gc.collect()
            gc.freeze()  # forked processes neither look at these objects nor copy their pages
        return self._planned[shape]

    def undisturbed(self, shape: str) -> tuple[Path, Path]:
        """Run the study of a shape without any disturbance, unless that was done; return its storage and its log."""
        root = self._folder / "undisturbed" / shape
        if not (root / "done").exists():
            shutil.rmtree(root, ignore_errors=True)
            shutil.copytree(self._template, root / "storage")
            code, control = self._command(shape, root, root / "storage", Disturbance(), is_power_cut=False)
            if code != EXIT_DONE:
                raise RuntimeError(f"the undisturbed study of {shape} ended with {code}: see {root}/output.txt")
            control.log.rename(root / "log.tsv")
            (root / "done").touch()
        return root / "storage", root / "log.tsv"

    def run(self, case: Case) -> Outcome:
        """Run a case to its end and compare what came of it."""
        began = time.monotonic()
        work = self._folder / "work" / f"{case.number:06d}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        storage = work / "storage"
        shutil.copytree(self._template, storage)
        is_power_cut = case.mode is not None
        code, control = self._command(case.shape, work, storage, case.disturbance, is_power_cut=is_power_cut)
        records = list(read_log(control.log))
        hit = next((record for record in records if record.operation == HIT), None)
        found: list[str] = []
        if case.mode is not None and hit is not None:
            model = StorageModel(self._template)
            for record in records:
                model.apply(record, control.shadows)
            changes = cut_power(storage, model, work / "cut", case.mode, case.cut_seed)
            (work / "cut.txt").write_text("\n".join(changes))
        codes = [code]
        while codes[-1] != EXIT_DONE and len(codes) < MOST_COMMANDS:
            codes.append(self._command(case.second, work, storage, Disturbance(), is_power_cut=False)[0])
        if len(codes) == 1:  # the disturbance changed nothing: the same command must find that nothing is left
            codes.append(self._command(case.second, work, storage, Disturbance(), is_power_cut=False)[0])
        if HUNG in codes:
            found.append(f"hung: a command had to be ended after {TIMEOUT_S:.0f} s; its stacks are in output and logs")
        if codes[-1] != EXIT_DONE:
            found.append(f"not finished after {len(codes)} commands: {codes}")
        lost = lost_steps(work / "steps")
        compared, apart = self._compared(case, storage, work)
        found += compared
        if max(lost, default=0) > SHAPES[case.shape].most_steps_lost:
            found.append(f"work lost: {max(lost)} steps, with a checkpoint every {CHECKPOINT_EVERY}")
        if found:
            (work / "differences.txt").write_text("\n".join(found))
        else:
            shutil.rmtree(work)
        return _outcome(case, hit, codes, found, apart, lost, time.monotonic() - began, work)

    def _compared(self, case: Case, storage: Path, work: Path) -> tuple[list[str], float]:
        """Compare in a process of its own, which may start threads: this one goes on forking."""
        planned, undisturbed = self.planned(case.shape).plan, self.undisturbed(case.shape)[0]
        answer = work / "compared.json"

        def compare() -> int:
            ours, theirs = findings(undisturbed, planned), findings(storage, planned)
            found, apart = compared(ours, theirs, is_same_shape=case.shape == case.second)
            answer.write_text(json.dumps([found, apart]))
            return 0

        if self._forked(compare, work / "compare.txt") or not answer.exists():
            return [f"cannot be compared: {(work / 'compare.txt').read_text()[-2000:]}"], 0.0
        found, apart = json.loads(answer.read_text())
        return found, apart

    def _command(
        self, shape: str, work: Path, storage: Path, disturbance: Disturbance, *, is_power_cut: bool
    ) -> tuple[int, Control]:
        planned = self.planned(shape)
        control = Control(work, storage, disturbance, self._library, with_shadows=is_power_cut)

        def command() -> int:
            return run_command(planned, storage, self._library, control.path, work / "steps")

        ends = (lambda: control.is_hit) if is_power_cut else None
        return self._forked(command, work / "output.txt", ends), control

    def _forked(self, do: Callable[[], int], output: Path, ends: Callable[[], bool] | None = None) -> int:
        """Do something in a process group of its own and return its exit code, or minus the signal that ended it, or
        HUNG.

        Args:
            do: what the process does.
            output: where its output is appended.
            ends: says when all processes of the group are to be killed.
        """
        process = os.fork()
        if not process:
            code = 70
            try:
                os.setsid()
                file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
                for descriptor in (1, 2):
                    os.dup2(file, descriptor)
                faulthandler.register(signal.SIGUSR2, file=2)
                code = do()
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        deadline, status, ended, is_hung = time.monotonic() + TIMEOUT_S, 0, 0, False
        while not ended:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                break
            is_hung = time.monotonic() > deadline
            if is_hung:
                os.killpg(process, signal.SIGUSR2)
                time.sleep(DUMP_S)
            if is_hung or (ends is not None and ends()):
                _kill_group(process)
                _, status = os.waitpid(process, 0)
                break
            time.sleep(POLL_S)
        _kill_group(process)
        while _reaped():
            pass
        return HUNG if is_hung else os.waitstatus_to_exitcode(status)


def lost_steps(steps: Path) -> list[int]:
    """Count the steps that were done again at each time that a stage was gone on with or begun anew.

    Args:
        steps: file with a line for each step that a worker did: stage, trial, step of the stage from 1.
    """
    last: dict[str, int] = {}
    lost = []
    for line in steps.read_text().splitlines() if steps.exists() else ():
        stage, _, text = line.split("\t")
        step = int(text)
        if stage in last and step <= last[stage]:
            lost.append(last[stage] - step + 1)
        last[stage] = step
    return lost


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def _reaped() -> bool:
    """Wait for one of the processes that are left; whether there was one."""
    try:
        os.waitpid(-1, 0)
    except ChildProcessError:
        return False
    return True


def _outcome(
    case: Case,
    hit: Record | None,
    codes: list[int],
    found: list[str],
    apart: float,
    lost: list[int],
    seconds: float,
    work: Path,
) -> Outcome:
    file, operation = hit.place if hit is not None else ("not reached", "")
    return Outcome(
        level="worker",
        seed=case.seed,
        number=case.number,
        kind=case.kind,
        shape=case.shape,
        second=case.second,
        file=file,
        operation=operation,
        detail=case.mode or case.disturbance.error,
        is_hit=hit is not None,
        codes=codes,
        differences=found,
        rounding=apart,
        lost_steps=lost,
        seconds=round(seconds, 2),
        storage=str(work) if found else "",
    )


def main() -> None:
    folder, answered, *shapes = sys.argv[1:]
    answers, server = os.fdopen(int(answered), "w"), WorkerServer(Path(folder))
    for shape in shapes:
        server.undisturbed(shape)
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        case = pickle.loads(bytes.fromhex(line))
        try:
            outcome = server.run(case)
        except Exception:  # one case that cannot be judged must not end a night's drill: it counts as different
            outcome = _outcome(case, None, [], [f"cannot be judged: {traceback.format_exc()}"], 0.0, [], 0.0, Path())
        answers.write(json.dumps(asdict(outcome)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
