"""A link is opened where a browser can show itself, and nowhere else."""

from __future__ import annotations

import subprocess
import sys
import webbrowser
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator.terminal import browser as module
from tests.support.command_line import ROOT

OPEN = (
    "from orchestrator.terminal.browser import open_in_browser; print(open_in_browser('http://127.0.0.1:1/#/a?b=c&d'))"
)


BROWSERS = ("xdg-open", "firefox", "lynx", "www-browser", "own")


def _opened(tmp_path: Path, names: tuple[str, ...] = BROWSERS, **variables: str) -> tuple[str, str]:
    """Open a link in a process of its own; return what it says, and the links that the browser was given.

    Args:
        tmp_path: where the browsers are made.
        names: of all browsers that are installed.
        **variables: of the process.
    """
    folder = tmp_path / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    given = tmp_path / "links"
    for name in names:
        (folder / name).write_text(f'#!/bin/sh\necho "$@" >> {given}\n')
        (folder / name).chmod(0o755)
    environment = {"PATH": str(folder), "TERM": "xterm", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), **variables}
    done = subprocess.run([sys.executable, "-c", OPEN], capture_output=True, text=True, env=environment, check=True)
    return done.stdout.strip(), given.read_text().strip() if given.exists() else ""


def test_the_browser_that_the_environment_names_is_opened(tmp_path: Path) -> None:
    assert _opened(tmp_path, BROWSER=str(tmp_path / "bin" / "own")) == ("True", "http://127.0.0.1:1/#/a?b=c&d")


def test_without_a_desktop_no_browser_takes_the_terminal(tmp_path: Path) -> None:
    assert _opened(tmp_path) == ("False", "")


def test_an_empty_display_is_no_desktop(tmp_path: Path) -> None:
    assert _opened(tmp_path, DISPLAY="", WAYLAND_DISPLAY="", BROWSER="") == ("False", "")


def test_on_a_desktop_its_browser_is_opened_and_none_of_the_terminal(tmp_path: Path) -> None:
    link = "http://127.0.0.1:1/#/a?b=c&d"
    assert _opened(tmp_path / "both", ("firefox", "lynx"), DISPLAY=":0")[0] == "True"
    assert _opened(tmp_path / "text", ("lynx", "w3m", "www-browser"), DISPLAY=":0") == ("False", "")
    assert _opened(tmp_path / "text", ("lynx",), DISPLAY=":0", BROWSER="lynx") == ("True", link)


@pytest.mark.parametrize(("ssh", "is_opened"), [("", True), ("10.0.0.2 50000 10.0.0.1 22", False)])
def test_a_mac_opens_its_browser_unless_who_types_sits_elsewhere(
    ssh: str, is_opened: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[str]()
    browser = SimpleNamespace(open=lambda link: opened.append(link) is None)
    monkeypatch.setattr(module, "sys", SimpleNamespace(platform="darwin"))
    monkeypatch.setattr(webbrowser, "get", lambda: browser)
    monkeypatch.setenv("SSH_CONNECTION", ssh)
    monkeypatch.delenv("BROWSER", raising=False)
    assert module.open_in_browser("http://127.0.0.1:1/") == is_opened
    assert opened == (["http://127.0.0.1:1/"] if is_opened else [])
