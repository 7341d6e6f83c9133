"""Write commands of this program so that they can be pasted into any shell."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path


def own_command(*arguments: str) -> str:
    """Write a command of this program, quoted for a POSIX shell.

    Its first word finds the program in a shell in which no environment was activated: it is a path, unless the shell
    that this process was started from finds this very program by its name.

    Args:
        arguments: what stands after the program.
    """
    return shlex.join([*_program(), *arguments])


def named_anywhere(study: str) -> str:
    """Write a study as a command can name it from any folder: a file by its absolute path, all else as it is."""
    path = Path(study).expanduser()
    return str(path.absolute()) if path.exists() else study


def _program() -> list[str]:
    beside = Path(sys.executable).parent / "ablate"
    there = shutil.which("ablate")
    if there is not None and Path(there).resolve() == beside.resolve():
        return ["ablate"]
    return [str(beside)] if beside.is_file() else [sys.executable, "-m", "orchestrator"]
