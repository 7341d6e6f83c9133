"""Whatever goes wrong, a command ends with a sentence and an exit code; foreign packages of our names are refused."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import orchestrator
from orchestrator.output_schemas import output_schema
from orchestrator.terminal.json_errors import asks_for_json
from tests.support.command_line import ROOT, ablate

jsonschema = pytest.importorskip("jsonschema")


def test_a_foreign_package_of_our_name_is_refused_naming_its_file(tmp_path: Path) -> None:
    foreign = tmp_path / "cluster"
    foreign.mkdir()
    (foreign / "__init__.py").write_text("")
    done = ablate("plan", "quickstart", storage=tmp_path / "s", cwd=tmp_path, check=None)
    assert done.returncode == 2
    assert str(foreign / "__init__.py") in done.stderr


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    assert ablate("--version", storage=tmp_path).stdout == f"ablate-vlm {orchestrator.__version__}\n"


def ended(raises: str) -> tuple[int, str]:
    """Run the command line in a process of its own with a command that raises; returns exit code and stderr."""
    script = f"import errno\nfrom orchestrator import cli\ndef app(): raise {raises}\ncli.app = app\ncli.main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("raises", "code", "words"),
    [
        (f"OSError({errno.ENOSPC}, 'No space left on device', '/s/f')", 3, "ablate: no space is left: "),
        (f"RuntimeError('Arrow: [errno {errno.ENOSPC}] No space left on device')", 3, "ablate: no space is left: "),
        ("PermissionError(errno.EACCES, 'Permission denied', '/s/f')", 2, "ablate: /s/f: Permission denied"),
        ("FileNotFoundError(errno.ENOENT, 'No such file or directory', 'r.html')", 2, "ablate: r.html: No such file"),
        ("KeyError('x')", 70, "ablate: a defect in the program: KeyError: 'x'"),
    ],
)
def test_main_whatever_a_command_raises_becomes_a_sentence(raises: str, code: int, words: str) -> None:
    returned, stderr = ended(raises)
    assert returned == code
    assert stderr.startswith(words)
    assert "Traceback" not in stderr


def test_main_a_defect_leaves_its_traceback_in_a_file() -> None:
    _, stderr = ended("ZeroDivisionError('division by zero')")
    file = Path(stderr.split("The traceback is in ")[1].split(": please")[0])
    assert "ZeroDivisionError: division by zero" in file.read_text()
    file.unlink()


def test_main_a_terminal_without_the_characters_of_a_name_shows_their_codes(tmp_path: Path) -> None:
    script = "import sys; from orchestrator.cli import main; sys.argv[1:] = ['plan', '\u00e9t\u00e9.yaml']; main()"
    environment = {"PYTHONIOENCODING": "ascii:strict", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 2
    assert "\\xe9t\\xe9.yaml" in done.stderr


def test_errors_are_json_for_programs_that_asked_for_it(tmp_path: Path) -> None:
    done = ablate(
        "plan", "quickstart", "--json", "--set", "base.epochs=no", "--set", "base.stages=[]", storage=tmp_path, check=2
    )
    printed = json.loads(done.stdout)
    jsonschema.validate(printed, output_schema("error"))
    error = printed["error"]
    assert (error["kind"], error["exit_code"], error["message"]) == ("input", 2, done.stderr.rstrip("\n"))
    assert {problem["key"] for problem in error["problems"]} == {"base.epochs", "base.stages"}
    assert all(problem["place"].startswith("--set ") and "but got" in problem["rule"] for problem in error["problems"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("plan", "quickstart", "--json", "--frob"), "--frob"),
        (("plan", "quickstart", "--limit", "x", "--json"), "--limit"),
        (("frob", "--json"), "frob"),
    ],
)
def test_mistaken_options_are_json_too(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    error = json.loads(ablate(*arguments, storage=tmp_path, check=2).stdout)["error"]
    assert (error["kind"], error["exit_code"]) == ("usage", 2)
    assert words in error["message"]


def test_what_follows_two_dashes_asks_for_nothing() -> None:
    assert asks_for_json(["plan", "--json"])
    assert not asks_for_json(["submit", "--", "--json"])


def test_the_list_of_commands_loads_neither_studies_nor_what_reads_them() -> None:
    script = (
        "import sys, orchestrator.cli; print(*{'pydantic.main', 'yaml', 'pyarrow', 'rich.table'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("words", "completed"),
    [("ablate ver", {"verify", "verdicts"}), ("ablate plan qui", {"quickstart"}), ("ablate plan --sto", {"--storage"})],
)
def test_a_shell_completes_commands_studies_and_options(words: str, completed: set[str]) -> None:
    script = "import sys; sys.argv = ['ablate']; from orchestrator.cli import main; main()"
    asked = {"_ABLATE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    environment = {**os.environ, **asked}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, env=environment)
    assert set(done.stdout.split()) == completed, done.stderr


@pytest.mark.parametrize("words", [("--storage", ""), ("--storage=",), ("--data", ""), ("--data=",)])
def test_a_path_that_is_given_and_empty_is_not_taken_for_the_current_folder(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    done = ablate("plan", "quickstart", *words, storage=tmp_path / "s", cwd=tmp_path, check=2)
    assert f"{words[0].rstrip('=')}: must not be empty" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("plan", "quickstart", "--limit", "9" * 30), "--limit: must be a whole number of 64 bits"),
        (("logs", "quickstart", "--seed", f"-{'9' * 30}"), "--seed: must be a whole number of 64 bits"),
        (("doctor", "--within", "inf"), "--within: must be a finite number"),
        (("data", "check", "easy-vqa", "--workers", "9" * 30), "--workers"),
        (("noise", "quickstart", "--seeds", "9" * 12), "--seeds"),
        (("plan", "quickstart", "--set", f"seeds=[{2**63}]"), "seeds.default[0]: must be less than or equal to"),
    ],
)
def test_numbers_that_nothing_can_hold_are_refused_by_their_option(
    words: tuple[str, ...], option: str, tmp_path: Path
) -> None:
    assert option in ablate(*words, storage=tmp_path / "s", check=2).stderr


def test_a_budget_without_end_is_no_limit(tmp_path: Path) -> None:
    ablate("plan", "quickstart", "--features-budget", "inf", storage=tmp_path / "s")
