"""Commands that documents and outputs print end well where they are pasted: each starts the program, once.

`test_run_commands.py` runs all commands of documents, in its own process.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import ROOT, ablate
from tests.support.harness_files import write_lmms_run
from tests.support.printed_commands import PrintedCommand, in_documents

QUICK = ("plan", "schema", "ls", "show", "benchmarks list", "benchmarks show", "doctor", "studies", "verdicts --scores")
"""Commands that read little and train nothing."""
FILES = {"study.yaml": "quickstart.yaml", "my_study.yaml": "quickstart.yaml"}
"""Files that documents name, and the shipped study that stands for each."""


def _quick() -> list[PrintedCommand]:
    """List what is pasted: the first of each quick command that is complete, and of files that are there."""
    first: dict[str, PrintedCommand] = {}
    for command in in_documents():
        of_files = any(
            word.isupper() or word.endswith(".csv") or word.startswith("examples/") for word in command.words
        )
        text = " ".join(command.words)
        if command.is_complete and not of_files and not {"my-study", "my_cluster.yaml"} & set(command.words):
            first |= {quick: command for quick in QUICK if text.startswith(quick) and quick not in first}
    return list(first.values())


@pytest.mark.parametrize("command", _quick(), ids=str)
def test_quick_command_of_a_document_ends_well_in_a_fresh_shell(command: PrintedCommand, tmp_path: Path) -> None:
    for name, study in FILES.items():
        shutil.copy(ROOT / "search_spaces" / study, tmp_path / name)
    done = _pasted(f"ablate {shlex.join(command.words)}", tmp_path, activated=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_what_init_prints_next_can_be_pasted_where_nothing_is_activated(tmp_path: Path) -> None:
    folder = tmp_path / "with a space"
    folder.mkdir()
    storage = folder / "a storage"
    done = ablate("init", "my study", "--like", "quickstart", "--storage", str(storage), storage=tmp_path, cwd=folder)
    printed = done.stdout.partition("Next:")[2].split("\n")
    plan, run = (line.strip() for line in printed if line.strip())
    assert shlex.split(run)[1:] == ["run", "my study", "--storage", str(storage)]
    pasted = _pasted(plan, folder, activated=False)
    assert pasted.returncode == 0, pasted.stderr
    assert "my-study" in pasted.stdout


def test_what_import_prints_next_can_be_pasted_where_nothing_is_activated(tmp_path: Path) -> None:
    claim = "hypotheses: [{id: larger, claim: Larger is better, pairs: [[base, large]], expect: better}]"
    (tmp_path / "claims.yaml").write_text(claim)
    for arm, accuracy in {"base": 0.5, "large": 0.7}.items():
        write_lmms_run(tmp_path / arm, accuracy, 1)
        words = ["import", "--from", "lmms-eval", arm, "--arm", arm, "--seed", "1", "--out", "all items"]
        done = ablate(*words, storage=tmp_path / "storage", cwd=tmp_path)
    command = done.stdout.partition("Next: ")[2].strip()
    pasted = _pasted(command, tmp_path, activated=False)
    assert pasted.returncode == 0, pasted.stderr
    assert "Larger is better" in pasted.stdout


def _pasted(command: str, folder: Path, *, activated: bool) -> subprocess.CompletedProcess[str]:
    """Run a command as it is printed, in a shell that knows nothing of this one but the program's source."""
    path = f"{Path(sys.executable).parent}:" if activated else ""
    environment = {
        "PATH": f"{path}/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"],
    }
    return subprocess.run(
        ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
