"""Commands of a document with what it shows of their output, and the comparison with what they print."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ANY_LINES = "..."
"""A line of a document that stands for any number of lines."""
SESSIONS = ("", "console", "shell", "sh", "bash")
"""Languages of blocks that may show a session in a shell."""


@dataclass(frozen=True)
class ShownCommand:
    """A command of a document, and the lines below it."""

    command: str
    shown: tuple[str, ...] = ()


def shown_commands(document: str) -> list[ShownCommand]:
    """List the commands of a Markdown document, in their order: of each block that has a line with the prompt `$ `.

    Raises:
        ValueError: if a block with a prompt does not begin with one, or is not in a shell's language.
    """
    commands: list[ShownCommand] = []
    for indent, language, block in re.findall(r"^( *)```([^\n]*)\n(.*?)^\1```", document, flags=re.S | re.M):
        lines = [line.removeprefix(indent) for line in block.splitlines()]
        if not any(line.lstrip().startswith("$ ") for line in lines):
            continue
        if language.strip() not in SESSIONS or not lines[0].startswith("$ "):
            raise ValueError(
                f"a block with commands must begin with `$ ` and be a console's, but is\n```{language}\n{block}"
            )
        for line in lines:
            if line.startswith("$ "):
                commands.append(ShownCommand(line.removeprefix("$ ")))
            else:
                commands[-1] = ShownCommand(commands[-1].command, (*commands[-1].shown, line))
    return commands


def section_commands(document: str, heading: str) -> list[str]:
    """List the commands of the first block below a heading, as a document without outputs has them: no comments.

    Raises:
        ValueError: if there is no such heading, or no block below it.
    """
    block = re.search(rf"^#+ {re.escape(heading)}\n[^#]*?^```\w*\n(.*?)^```", document, flags=re.S | re.M)
    if block is None:
        raise ValueError(f"no block of commands stands below the heading {heading!r}")
    return [re.sub(r"\s+#\s.*", "", line).strip() for line in block[1].splitlines() if line.strip()]


def first_difference(shown: Sequence[str], output: str, form: Callable[[str], str] = str.rstrip) -> str | None:
    """Find the first line of a document that a command did not print in its place.

    Args:
        shown: lines of the document; `...` stands for any lines. Without it they are all that is printed, where there
            are any.
        output: what the command printed.
        form: what is compared of a line; scores and times differ from one kind of processor to another.

    Returns:
        What differs, as a sentence; None if nothing does.
    """
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


def without_numbers(line: str) -> str:
    """Replace every number of a line."""
    return re.sub(r"[\d.,]*\d", "N", line).rstrip()


def without_answers(line: str) -> str:
    """Reduce a line of `ablate answers` to what models have no part in: neither the question nor what arms said."""
    if arm := re.match(r"    \S+(?=  )", line):
        return arm[0]
    if "   right: " in line:
        return "  question   right: answer"
    return "question   picture" if re.match(r"\S+   /", line) else without_numbers(line)
