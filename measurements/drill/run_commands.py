"""Start `ablate run` on the toy study, so that all its processes and temporary files are known as those of one case."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

from measurements.drill.leftovers import CASE, kill_processes
from measurements.drill.toy_study import SHAPES, STUDY_FILE

TIMEOUT_S = 900.0
"""Of one command."""


class Commands(AbstractContextManager["Commands"]):
    """Commands of one case, with a folder of their own for temporary files. None outlives the `with` block.

    Args:
        work: folder of the case, with the `storage`; the output of all commands is appended to `output.txt`.
        tracking: address of a tracking server; empty for the database on storage.
    """

    def __init__(self, work: Path, tracking: str = ""):
        self._work, self._tracking = work, tracking
        self.temporary = _temporary_folder()
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, shape: str, environment: Mapping[str, str] = MappingProxyType({})) -> subprocess.Popen[bytes]:
        """Start `ablate run` for a shape.

        Args:
            shape: of the workers.
            environment: variables beside those of this process.
        """
        command = [sys.executable, "-m", "orchestrator", "run", str(STUDY_FILE), "--features", "cache", "--cpus", "2"]
        command += ["--no-rehearsal", "--storage", str(self._work / "storage")]
        command += [part for override in SHAPES[shape].overrides() for part in ("--set", override)]
        command += ["--tracking-uri", self._tracking] if self._tracking else []
        own = {"OMP_NUM_THREADS": "1", "TMPDIR": str(self.temporary), CASE: str(self._work)}
        with (self._work / "output.txt").open("ab") as output:
            run = subprocess.Popen(
                command, stdout=output, stderr=output, start_new_session=True, env={**os.environ, **own, **environment}
            )
        self._started.append(run)
        return run

    def __exit__(self, *error: object) -> None:
        for run in self._started:
            if run.poll() is None:
                run.terminate()
                run.wait(TIMEOUT_S)
        kill_processes(self._work)
        shutil.rmtree(self.temporary, ignore_errors=True)


def _temporary_folder() -> Path:
    """Make a folder whose path is so short that Ray has its sockets in it (`cluster.connect.short_folder`)."""
    while True:
        folder = Path("/tmp") / f"d{secrets.token_hex(2)}"
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        return folder
