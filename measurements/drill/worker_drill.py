"""Run many cases in worker processes and append their outcomes to a file, from which the same call goes on."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import Queue
from threading import Lock

from measurements.drill.interposer import compiled
from measurements.drill.operations import read_log
from measurements.drill.outcome import OUTCOMES, Outcome, append_outcome, line_of, read_outcomes
from measurements.drill.toy_study import SHAPES, planned_shape
from measurements.drill.worker_cases import Case, cases

SERVER = ("-m", "measurements.drill.worker_server")
"""Arguments of Python that start a worker server."""


def drill_workers(
    folder: Path,
    kills: int,
    seed: int,
    shapes: Sequence[str],
    *,
    jobs: int = 1,
    server: Sequence[str] = SERVER,
    tell: Callable[[str], None] = print,
) -> None:
    """Run those of the first `kills` cases that have no outcome in the folder yet.

    Args:
        folder: of outcomes and storages.
        kills: number of cases.
        seed: of what is drawn.
        shapes: of the first command of each case, in turns.
        jobs: cases at a time.
        server: arguments of Python that start a worker server.
        tell: is told each outcome, in a line.
    """
    outcomes, lock = folder / OUTCOMES, Lock()
    known = {outcome.number for outcome in read_outcomes(outcomes) if (outcome.level, outcome.seed) == ("worker", seed)}
    if known.issuperset(range(1, kills + 1)):
        return
    template = folder / "template"
    template.mkdir(parents=True, exist_ok=True)
    planned_shape(SHAPES[shapes[0]], template)
    library = compiled(folder)
    with ExitStack() as stack:
        started = [Server(folder, library, () if job else sorted(set(shapes)), server) for job in range(jobs)]
        servers: Queue[Server] = Queue()
        for ready in map(stack.enter_context, started):
            servers.put(ready)
        logs = {shape: list(read_log(folder / "undisturbed" / shape / "log.tsv")) for shape in shapes}
        todo = [case for case in itertools.islice(cases(logs, shapes, seed), kills) if case.number not in known]

        def run(case: Case) -> None:
            free = servers.get()
            try:
                outcome = free.run(case)
            finally:
                servers.put(free)
            with lock:
                append_outcome(outcomes, outcome)
                tell(line_of(outcome))

        pool = stack.enter_context(ThreadPoolExecutor(jobs))
        for result in [pool.submit(run, case) for case in todo]:
            result.result()


class Server:
    """A worker server in a process of its own, which starts at once; inside of the `with` block it takes cases.

    Args:
        folder: of outcomes and storages.
        library: the compiled library, which is preloaded.
        shapes: that are run undisturbed first, unless they were.
        program: arguments of Python that start it.
    """

    def __init__(self, folder: Path, library: Path, shapes: Sequence[str], program: Sequence[str] = SERVER):
        self._log = (folder / "server.txt").open("ab")
        answers, written = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, *program, str(folder), str(written), *shapes],
            env={**os.environ, "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            pass_fds=(written,),
            text=True,
        )
        os.close(written)
        self._answers = os.fdopen(answers)

    def __enter__(self) -> Server:
        """Wait until it has loaded its libraries and run the undisturbed studies."""
        if self._answers.readline() != "ready\n":
            raise SystemExit(f"the worker server did not start: see {self._log.name}")
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._answers.close()
        self._log.close()

    def run(self, case: Case) -> Outcome:
        """Run a case and return its outcome."""
        assert self._process.stdin is not None
        self._process.stdin.write(pickle.dumps(case).hex() + "\n")
        self._process.stdin.flush()
        answer = self._answers.readline()
        if not answer:
            raise SystemExit(f"the worker server has died: see {self._log.name}")
        return Outcome(**json.loads(answer))
