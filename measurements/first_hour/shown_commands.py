"""Commands of a document with what it shows of their output, and the comparison with what they print."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ANY_LINES = "..."
"""A line of a document that stands for any number of lines."""


@dataclass(frozen=True)
class ShownCommand:
    """A command of a document, and the lines below it."""

    command: str
    shown: tuple[str, ...] = ()


def shown_commands(document: str) -> list[ShownCommand]:
    """List the commands in the blocks of a Markdown document that begin with `$ `, in their order."""
    commands: list[ShownCommand] = []
    for block in re.findall(r"```\n(\$ .*?)```", document, flags=re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                commands.append(ShownCommand(line.removeprefix("$ ")))
            else:
                commands[-1] = ShownCommand(commands[-1].command, (*commands[-1].shown, line))
    return commands


def first_difference(shown: Sequence[str], output: str, *, exactly: bool = True) -> str | None:
    """Find the first line of a document that a command did not print in its place.

    Args:
        shown: lines of the document; `...` stands for any lines. Without it they are all that is printed, where there
            are any.
        output: what the command printed.
        exactly: compare digits, too; scores and times differ from one kind of processor to another.

    Returns:
        What differs, as a sentence; None if nothing does.
    """
    form: Callable[[str], str] = str.rstrip if exactly else _without_numbers
    wanted = [form(line) for line in shown if line != ANY_LINES]
    printed = [form(line) for line in output.splitlines()]
    if wanted and ANY_LINES not in shown and len(printed) != len(wanted):
        return f"{len(wanted)} lines are shown, {len(printed)} were printed"
    rest = iter(printed)
    for line in wanted:
        if ANY_LINES in shown:
            if not any(line == other for other in rest):
                return f"not printed, or not in this place: {line}"
        elif next(rest) != line:
            return f"not printed in this place: {line}"
    return None


def _without_numbers(line: str) -> str:
    return re.sub(r"[\d.,]*\d", "N", line).rstrip()
