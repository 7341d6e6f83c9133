"""Commands that documents, messages and outputs print can be typed."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec

import pytest

from tests.support.command_line import ROOT
from tests.support.command_runs import MAKE_NOT_RUN, MAKE_TARGETS
from tests.support.printed_commands import (
    PrintedCommand,
    documents,
    in_document,
    in_documents,
    in_makefile,
    in_notebook,
    in_shell,
    in_source,
    mentions,
    parse,
    tracked,
)

PACKAGES = ("orchestrator", "cluster", "trainables", "search_spaces")


def _sources() -> list[PrintedCommand]:
    texts = tracked(*(f"{package}/*.py" for package in PACKAGES))
    return [command for name, text in texts.items() for command in in_source(name, text)]


def _others() -> list[PrintedCommand]:
    """List the commands of configurations, templates, scripts and notebooks, wherever they are written."""
    scripts = tracked("*.j2", "*.sbatch", "*.sh", ".ci/*")
    texts = tracked("*.yaml", "*.yml", "*.toml", "*.json", "*Dockerfile") | scripts
    return [
        *(command for name, text in texts.items() for command in mentions(name, text)),
        *(command for name, text in scripts.items() for command in in_shell(name, text)),
        *(command for name, text in tracked("*.ipynb").items() for command in in_notebook(name, text)),
    ]


COMMANDS = [*in_documents(), *_sources(), *_others(), *in_makefile((ROOT / "Makefile").read_text())]


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_command_is_one_of_the_program_with_its_options(command: PrintedCommand) -> None:
    parse(command)


WRONG = {
    "a block": "```\n$ ablate plam quickstart\n```",
    "a block in a list": "- first\n\n  ```console\n  $ ablate plan quickstart --tabel\n  ```",
    "indented lines": "so:\n\n    ablate plan\n",
    "after a variable": "```\nABLATE_STORAGE=/shared ablate plan quickstart --tabel\n```",
    "after another command": "```\ncd my-study; make && .venv/bin/ablate plan quickstart --tabel | less\n```",
    "over several lines": "```\nablate plan quickstart \\\n  --tabel > plan.txt\n```",
    "between backticks": "`ablate status --jsn`",
    "between backticks after a variable": "`ABLATE_STORAGE=/shared ablate status --jsn`",
    "a sentence with a file": "Use ablate run study.yaml --nosuchflag. Then look.",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_command_that_is_none_is_found_wherever_a_document_has_it(text: str) -> None:
    (command,) = in_document("page", text)
    with pytest.raises(Exception, match=r"no command|No such option|Missing parameter"):
        parse(command)


def test_a_notebook_has_commands_in_its_sentences_its_strings_and_its_shells() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["First `ablate run quickstart`."]},
        {"cell_type": "code", "source": ["!ablate plan quickstart\n", "print('then ablate report quickstart')"]},
    ]
    words = [command.words for command in in_notebook("notebook", json.dumps({"cells": cells}))]
    assert words == [("run", "quickstart"), ("plan", "quickstart"), ("report", "quickstart")]


def test_the_rest_of_a_line_is_no_part_of_a_command() -> None:
    text = "```\n$ ablate plan quickstart [--toy] --set 'seeds=[1, 2]' > plan.txt 2>&1; rm x   # what it takes\n```"
    (command,) = in_document("page", text)
    assert command.words == ("plan", "quickstart", "--toy", "--set", "seeds=[1, 2]")


def test_a_block_that_is_never_closed_is_refused() -> None:
    with pytest.raises(ValueError, match="never closed"):
        list(in_document("page", "```\n$ ablate plan quickstart\n"))


def test_every_make_target_and_module_that_a_document_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    text = "\n".join(documents().values())
    named = re.findall(r"(?:^|`)(?:\$ )?make ([a-z0-9 -]+?)(?=`|\s*$|\s+#|\s+[A-Z]+=)", text, flags=re.M)
    assert len(named) > 20
    printed = {target for written in named for target in written.split() if not target.startswith("-")}
    assert printed <= targets
    assert printed == MAKE_TARGETS.keys() | MAKE_NOT_RUN.keys()
    assert not MAKE_TARGETS.keys() & MAKE_NOT_RUN.keys()
    called = re.findall(r"^make (\S+)$", (ROOT / ".ci/run").read_text(), flags=re.M)
    assert called == [target for target, place in MAKE_TARGETS.items() if place == ".ci/run"]
    assert [place for place in MAKE_TARGETS.values() if not (ROOT / place).is_file()] == []
    modules = set(re.findall(r"python -m ((?:measurements|docs|trainables|orchestrator)[\w.]*)", text))
    assert len(modules) > 20
    assert [module for module in modules if find_spec(module.rstrip(".")) is None] == []
