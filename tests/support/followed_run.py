"""A run in a process of its own that a test follows by what it says, and disturbs at a moment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from tests.support.command_line import ROOT


@contextmanager
def followed_run(
    file: Path, storage: Path, *options: str, environment: Mapping[str, str] = MappingProxyType({})
) -> Iterator[subprocess.Popen[str]]:
    """Start `ablate run` of a study; it is killed at the end of the block if it has not ended by then."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "COLUMNS": "400", **environment}
    command = [sys.executable, "-m", "orchestrator", "run", str(file), "--storage", str(storage), *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, env=variables
    ) as run:
        try:
            yield run
        finally:
            run.kill()


def read_until(run: subprocess.Popen[str], pattern: str) -> str:
    """Read what a run says up to the line in which a pattern stands."""
    assert run.stdout is not None
    text = ""
    for line in run.stdout:
        text += line
        if re.search(pattern, line):
            return text
    raise AssertionError(f"the run ended without saying {pattern!r}: {text}")


def read_until_trained(run: subprocess.Popen[str], steps: int) -> str:
    """Read what a run says until it has made more than so many steps."""
    assert run.stdout is not None
    text = ""
    for line in run.stdout:
        text += line
        step = re.search(r"finetune, step (\d+)/", line)
        if step is not None and int(step[1]) > steps:
            return text
    raise AssertionError(f"the run ended before step {steps}: {text}")
