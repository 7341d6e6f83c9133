"""A link is opened where a browser can show itself, and nowhere else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.command_line import ROOT

OPEN = (
    "from orchestrator.terminal.browser import open_in_browser; print(open_in_browser('http://127.0.0.1:1/#/a?b=c&d'))"
)


def _opened(tmp_path: Path, **variables: str) -> tuple[str, str]:
    """Open a link in a process of its own; return what it says, and the links that the browser was given."""
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    given = tmp_path / "links"
    for name in ("xdg-open", "firefox", "lynx", "www-browser", "own"):
        (folder / name).write_text(f'#!/bin/sh\necho "$@" >> {given}\n')
        (folder / name).chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), **variables}
    done = subprocess.run([sys.executable, "-c", OPEN], capture_output=True, text=True, env=environment, check=True)
    return done.stdout.strip(), given.read_text().strip() if given.exists() else ""


def test_the_browser_that_the_environment_names_is_opened(tmp_path: Path) -> None:
    assert _opened(tmp_path, BROWSER=str(tmp_path / "bin" / "own")) == ("True", "http://127.0.0.1:1/#/a?b=c&d")


def test_without_a_desktop_no_browser_takes_the_terminal(tmp_path: Path) -> None:
    assert _opened(tmp_path) == ("False", "")
