"""What becomes of every command that documents print: it is run, by which test if not by the one of all, or why not."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Literal

from measurements.first_hour.play import first_commands
from tests.support.printed_commands import can_be_run, in_documents

Need = Literal["a running Ray cluster", "a tracking server", "somebody to end it", "published data sets"]
"""What commands need that a machine with nothing but this program does not have."""

NOT_RUN: Mapping[Need, tuple[str, ...]] = {
    "a running Ray cluster": (
        "doctor --storage /shared/ablate --tracking-uri https://mlflow.lab --address head:6379",
        "run STUDY --toy --limit 1 --set resources.workers=16 --set resources.gpus_per_worker=1 --address auto"
        " --storage /shared/ablate",
        "run my_study.yaml --address head:6379 --storage /shared/ablate --may-come aws",
        "run quickstart --address auto",
        "submit STUDY --json",
        "submit my_study.yaml --address http://127.0.0.1:8265 --storage /shared/ablate",
        "submit my_study.yaml --address http://head:8265 --storage /shared/ablate",
        "submit prismatic/design_space --storage /shared/ablate --address http://head:8265",
        "submit quickstart --address http://head:8265 --storage /shared/ablate",
    ),
    "a tracking server": (
        "run my_study.yaml --tracking-uri http://127.0.0.1:5000",
        "sync STUDY --tracking-uri http://server:5000",
        "sync my_study.yaml --tracking-uri http://...",
    ),
    "somebody to end it": ("mcp", "mcp --storage FOLDER", "open", "open --json", "open STUDY", "open quickstart"),
    "published data sets": ("data check prismatic/design_space --data DATA",),
}
"""Need -> commands that no test runs as they are printed. Their parts are tested with stand-ins for what they need."""

FIRST_HOUR = "tests/measurements/first_hour/test_play.py"
RUN_ELSEWHERE = {
    "run prismatic/design_space --toy": "tests/orchestrator/run_study/test_prismatic_toy.py",
    "questions STUDY --informative DIR": "tests/orchestrator/reporting/test_informative_suite.py",
    "questions study.yaml --informative chosen/": "tests/orchestrator/reporting/test_informative_suite.py",
    "run examples/own-vqa/places-and-counts.yaml --data . --toy": "tests/examples/test_own_vqa.py",
}
"""Command -> the test that runs it; those of a new user's first hour are added."""

MAKE_TARGETS = {
    "install": ".ci/run",
    "lint": ".ci/run",
    "test": ".ci/run",
    "quickstart": ".ci/run",
    "clean": "tests/docs/test_makefile.py",
    "docs": "tests/docs/test_site_hooks.py",
    "first-hour": FIRST_HOUR,
    "measure": "tests/measurements/test_measure.py",
    "drill": "tests/measurements/drill/test_run_drill.py",
    "damaged": "tests/measurements/damage/test_outcomes.py",
    "gpu-check": "tests/measurements/gpu_check/test_run_check.py",
}
"""Target of make that documents print -> what runs it, or runs the same program in a short form."""

MAKE_NOT_RUN = {
    "test-fast": "a part of what `make test` runs",
    "test-slow": "hours",
    "smollm2": "an hour and a package of weights; its study runs at toy size",
}
"""Target of make that nothing runs -> why."""

STANDS_FOR = {
    "show KIND NAME": "show studies quickstart",
    "show studies NAME": "show studies quickstart",
    "benchmarks show pope --study STUDY": "benchmarks show our-colors --study STUDY",
    "benchmarks show NAME": "benchmarks show pope",
    "init FOLDER --train FILE --test FILE": "init FOLDER --train shapes/train.json --test shapes/test.jsonl",
    "init my-study --train train.json": "init my-set --train train.json",
    "--events FILE": "--events events.jsonl",
    "--split NAME": "--split val2014",
    "/shared/ablate": "STORAGE",
    "/scratch/ablate": "STORAGE",
    "/full": "STORAGE",
    "PATH...": "items",
}
"""Words of documents -> what stands for them; STORAGE and TRIAL stand for what the test has made."""

ENDS_WITH = {"plan quickstart --json --set base.epochs=no": 2, "benchmarks check DIR": 2}
"""Command -> exit code, of those that show what is wrong."""


def printed() -> dict[str, str]:
    """List every command of the documents with all of its arguments: command, without the program -> a document."""
    return {shlex.join(command.words): command.place for command in in_documents() if can_be_run(command)}


def not_run() -> dict[str, Need]:
    """Map commands that no test runs to what they need."""
    return {_in_one_form(command): need for need, commands in NOT_RUN.items() for command in commands}


def run_elsewhere() -> dict[str, str]:
    """Map commands to the file of the test that runs them."""
    typed = [step.command for step in first_commands(is_small=True, is_installed=True)]
    first = {_in_one_form(command.removeprefix("ablate ")): FIRST_HOUR for command in typed if "ablate" in command}
    return first | {_in_one_form(command): test for command, test in RUN_ELSEWHERE.items()}


def run_here() -> dict[str, list[str]]:
    """Map every other command to the words that are run in its place."""
    others = printed().keys() - not_run().keys() - run_elsewhere().keys()
    return {command: shlex.split(_stood_for(command)) for command in sorted(others)}


def _stood_for(command: str) -> str:
    for words, instead in STANDS_FOR.items():
        command = re.sub(rf"(?<!\S){re.escape(words)}(?!\S)", instead, command)
    return command


def _in_one_form(command: str) -> str:
    return shlex.join(shlex.split(command))
