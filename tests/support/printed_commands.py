"""Commands that documents, messages and outputs tell people to type: how they are found, and how they are parsed."""

from __future__ import annotations

import ast
import contextlib
import itertools
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace

import typer

from orchestrator.cli import app
from tests.support.command_line import ROOT

VALUE = "X"
"""Stands for what a message puts in when it is printed."""
BEFORE = {"$", "!", "sudo", "exec", "nohup", "time", "env", "then", "do"}
"""Words that may stand before a command in its line."""
MODULE = r"\S*python3? -m orchestrator (?!.*\{\{)"
"""The program by the name of its module; not in a template, whose values are not known."""

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


def tracked(*patterns: str) -> dict[str, str]:
    """Read the files of the repository whose names match, such as `*.md`: name -> text."""
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name: (ROOT / name).read_text() for name in listed.stdout.splitlines() if (ROOT / name).is_file()}


def documents() -> dict[str, str]:
    """Read every document that says how the program is used now: name -> text."""
    return {name: text for name, text in tracked("*.md").items() if name != "CHANGELOG.md"}


def in_documents() -> list[PrintedCommand]:
    """List the commands of all documents."""
    return [command for name, text in documents().items() for command in in_document(name, text)]


def in_document(place: str, text: str) -> Iterator[PrintedCommand]:
    """List the commands of a Markdown document: complete ones of its blocks, mentions of its sentences."""
    prose: list[str] = []
    block: list[str] = []
    fence = ""
    for line in text.splitlines():
        opened = re.match(r"\s*(`{3,}|~{3,})", line)
        if fence:
            if opened and opened[1].startswith(fence) and line.strip() == opened[1]:
                yield from in_shell(place, "\n".join(block))
                block, fence = [], ""
            else:
                block.append(line)
        elif opened:
            fence = opened[1]
        elif re.match(r"(?: {4}|\t)\s*(?:\$ )?(?:\w+=\S+ )*ablate ", line):
            yield from in_shell(place, line)
        else:
            prose.append(line)
    if fence:
        raise ValueError(f"{place}: a block that {fence} opens is never closed")
    yield from mentions(place, "\n".join(prose))


def in_shell(place: str, text: str) -> Iterator[PrintedCommand]:
    """List the commands of a script or a session: at the beginning of a line, after variables, `&&`, `;` or a pipe.

    `python -m orchestrator` is the program, too, wherever in its line it stands.
    """
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        for part in _parts(re.sub(MODULE, "&& ablate ", line)) if re.search(rf"\bablate |{MODULE}", line) else []:
            words = list(itertools.dropwhile(lambda word: word in BEFORE or re.match(r"\w+=", word), part))
            if words and words[0].rpartition("/")[2] == "ablate":
                yield PrintedCommand(place, tuple(words[1:]), True)


def mentions(place: str, text: str) -> Iterator[PrintedCommand]:
    """List the commands of a text: between backticks, or as they are up to the end of a clause."""
    quoted = r"(?<!`)`((?:[A-Z_]+=\S+ |cd [^`;&]+(?:;|&&) ?)*ablate [^`]+)`(?!`)"
    for written in re.findall(quoted, text):
        for command in in_shell(place, " ".join(written.split())):
            yield PrintedCommand(place, command.words, False)
    bare = rf"(?<![`/\w.-])ablate ((?:{'|'.join(_PARSER.commands)})\b(?:[^`'\"().,;:#\n]|[.,:](?=\S))*)"
    for written in re.findall(bare, re.sub(quoted, "", text)):
        yield PrintedCommand(place, tuple(written.split()), False)


def in_notebook(place: str, text: str) -> Iterator[PrintedCommand]:
    """List the commands of a notebook: of its sentences, and those that its code gives to a shell."""
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield from in_document(place, source)
            continue
        script = [line for line in source.splitlines() if line.startswith(("!", "%"))]
        yield from in_shell(place, "\n".join(line.removeprefix("!") for line in script))
        yield from in_source(place, "\n".join(line for line in source.splitlines() if line not in script))


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
    for written in re.findall(r"\bablate [^#\n']*?(?=\s{2,}|'|$)", text, flags=re.M):
        yield from in_shell("Makefile", written)


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


def can_be_run(command: PrintedCommand) -> bool:
    """Check whether a command has all arguments that it needs: what a sentence mentions may be its name alone."""
    if not command.words or command.words == ("-h",):
        return False
    group = _PARSER.commands.get(command.words[0])
    if group is None or (hasattr(group, "commands") and len(command.words) == 1):
        return command.is_complete
    try:
        parse(replace(command, is_complete=True))
    except Exception:
        return False
    return True


def _parts(line: str) -> Iterator[list[str]]:
    """Split a line of a shell into its commands: without the prompt, comments, optional brackets, and redirections."""
    bare = re.sub(r"\{\{.*?\}\}", VALUE, re.sub(r"\s#\s.*|^\s*#.*", "", line))
    choices = re.sub(r"(?<=\w)\|(?=\w)", "/", bare)
    lexer = shlex.shlex(re.sub(r"(?<!\S)\[|\](?!\S)", "", choices), posix=True, punctuation_chars="();|&<>")
    lexer.commenters = ""
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:  # an apostrophe of a sentence, as outputs have them
        words = choices.split()
    for is_end, part in itertools.groupby(words, key=lambda word: set(word) <= set("();|&")):
        if not is_end:
            command = itertools.takewhile(lambda word: not set(word) <= set("<>"), part)
            yield [word for word in command if word != "..."]


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else VALUE
