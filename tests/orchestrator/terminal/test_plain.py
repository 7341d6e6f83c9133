"""Claims about lines that quote a user's data."""

from __future__ import annotations

import io

from rich.console import Console

from orchestrator.terminal.plain import plain_lines


def test_brackets_are_printed_as_they_are() -> None:
    shown = io.StringIO()
    plain_lines(Console(file=shown, width=80))("no question ends with '[/INST] [bold]', as all prompts do")
    assert shown.getvalue() == "no question ends with '[/INST] [bold]', as all prompts do\n"
