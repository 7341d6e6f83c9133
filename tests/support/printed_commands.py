"""Commands that documents, messages and outputs tell people to type: how they are found, and how they are parsed."""

from __future__ import annotations

import ast
import contextlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import typer

from orchestrator.cli import app

VALUE = "X"
"""Stands for what a message puts in when it is printed."""
SHELL_SIGNS = {">", "<", "|", "&&", ";"}


_PARSER = typer.main.get_command(app)


@dataclass(frozen=True)
class PrintedCommand:
    """Words of a command after `ablate`."""

    place: str
    words: tuple[str, ...]
    is_complete: bool
    """Whether it can be pasted as it is; else it is a mention in a sentence, which may leave arguments out."""

    def __str__(self) -> str:
        return f"{self.place}: ablate {shlex.join(self.words)}"


def in_document(place: str, text: str) -> Iterator[PrintedCommand]:
    """List the commands of a Markdown document: complete ones of its blocks, mentions of its sentences."""
    for block in re.findall(r"^```\w*\n(.*?)^```", text, flags=re.S | re.M):
        for line in re.sub(r"\\\n", " ", block).splitlines():
            if match := re.match(r"(?:\$ )?ablate (.*)", line):
                yield PrintedCommand(place, _words(match[1]), True)
    yield from mentions(place, re.sub(r"^```\w*\n.*?^```", "", text, flags=re.S | re.M))


def mentions(place: str, text: str) -> Iterator[PrintedCommand]:
    """List the commands of a text: between backticks, or as they are up to the end of a clause."""
    for written in re.findall(r"(?<!`)`ablate ([^`]+)`(?!`)", text):
        yield PrintedCommand(place, _words(" ".join(written.split())), False)
    for written in re.findall(rf"(?<![`/\w.-])ablate ((?:{'|'.join(_PARSER.commands)})\b[^`'\"().,;:#\n]*)", text):
        yield PrintedCommand(place, tuple(written.split()), False)


def in_source(place: str, source: str) -> Iterator[PrintedCommand]:
    """List the commands that the strings of a module mention, and those that it has `own_command` write."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from mentions(place, node.value)
        elif isinstance(node, ast.JoinedStr):
            yield from mentions(place, "".join(map(_text, node.values)))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "own_command":
            words = [_text(word) for word in node.args if not isinstance(word, ast.Starred)]
            if words[0] != VALUE:
                yield PrintedCommand(place, tuple(words), False)


def in_makefile(text: str) -> Iterator[PrintedCommand]:
    """List the commands that a Makefile runs or prints."""
    for written in re.findall(r"\bablate ([^#\n']*?)(?=\s{2,}|'|$)", text, flags=re.M):
        yield PrintedCommand("Makefile", _words(written), True)


def parse(command: PrintedCommand) -> None:
    """Parse a command as the program does, without running it.

    Raises:
        Exception: what the program tells a user: no such command, no such option, a value that is not allowed.
    """
    parser, words = _PARSER, list(command.words)
    name = "ablate"
    while hasattr(parser, "commands") and words and not words[0].startswith("-"):
        name = words.pop(0)
        if name not in parser.commands:
            raise ValueError(f"there is no command {name!r}: {command}")
        parser = parser.commands[name]
    if hasattr(parser, "commands"):
        return
    if command.is_complete:
        with contextlib.suppress(typer.Exit):  # of `--help`
            parser.make_context(name, words)
        return
    options = {flag for option in parser.params for flag in (*option.opts, *option.secondary_opts)} | {"-h", "--help"}
    if unknown := {word.partition("=")[0] for word in words if word.startswith("-")} - options:
        raise ValueError(f"No such option {', '.join(sorted(unknown))}: {command}")


def _words(written: str) -> tuple[str, ...]:
    """Split the part of a line that is this program's: before a comment, a pipe, or another command."""
    words = shlex.split(re.sub(r"\s#\s.*", "", written.replace("[", "").replace("]", "")))
    end = next((place for place, word in enumerate(words) if word in SHELL_SIGNS), len(words))
    return tuple(word for word in words[:end] if word != "...")


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else VALUE
