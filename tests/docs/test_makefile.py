"""The Makefile installs what it is asked for, or says why not, and uses every variable that it defines."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.command_line import ROOT


def _make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the Makefile in a folder where everything is installed."""
    (folder / "pyproject.toml").touch()
    (folder / ".venv").mkdir(exist_ok=True)
    (folder / ".venv" / "installed").touch()
    shutil.copy(ROOT / "Makefile", folder)
    return subprocess.run(["make", *arguments], cwd=folder, capture_output=True, text=True)


def test_the_build_for_cpus_is_refused_where_that_for_gpus_is_installed(tmp_path: Path) -> None:
    (tmp_path / ".venv/lib/python3.11/site-packages/nvidia").mkdir(parents=True)
    refused = _make(tmp_path, "install", "TORCH=cpu")
    assert refused.returncode == 2
    assert 'run "make clean" first' in refused.stderr
    assert _make(tmp_path, "install").returncode == 0
    assert _make(tmp_path, "clean", "TORCH=cpu").returncode == 0
    assert not (tmp_path / ".venv").exists()


def test_the_build_for_cpus_stays_where_it_is_installed(tmp_path: Path) -> None:
    assert _make(tmp_path, "install", "TORCH=cpu").returncode == 0


@pytest.mark.parametrize("value", ["cuda", "CPU"])
def test_another_build_is_refused_with_what_is_allowed(tmp_path: Path, value: str) -> None:
    assert "TORCH must be cpu, or not given" in _make(tmp_path, "install", f"TORCH={value}").stderr


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        ("", "TORCH=cpu: pip got no PyTorch from https://download.pytorch.org/whl/cpu, for the reason above"),
        ("'13.0'", "TORCH=cpu: pip took a build for GPUs from another index of its configuration; run make clean"),
        ("None", ""),
    ],
)
def test_installing_the_build_for_cpus_ends_with_a_sentence_where_there_is_none(
    build: str, sentence: str, tmp_path: Path
) -> None:
    """Stand in for Python: its pip finds no PyTorch, or a package whose version.py names this version of CUDA."""
    package = tmp_path / "site" / "torch"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "version.py").write_text(f"cuda = {build}\n")
    python = tmp_path / "python"
    python.write_text(
        f"""#!/bin/sh
case "$*" in
  "-m venv .venv") mkdir -p .venv/bin; cp '{python}' .venv/bin/python;;
  "-m pip "*--index-url*) [ -n "{build}" ] || {{ echo "ERROR: No matching distribution" >&2; exit 1; }};;
  "-m pip "*) ;;
  *) PYTHONPATH='{tmp_path}/site' exec '{sys.executable}' "$@";;
esac
"""
    )
    python.chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    command = ["make", "install", "TORCH=cpu", f"PYTHON={python}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == (2 if sentence else 0), done.stderr
    assert (tmp_path / ".venv" / "installed").exists() == (not sentence)


def test_every_variable_of_the_makefile_is_used() -> None:
    text = (ROOT / "Makefile").read_text()
    defined = re.findall(r"^(?:export )?(\w+) (?:\?|:)?= ", text, flags=re.M)
    assert len(defined) > 5
    unused = [name for name in defined if f"$({name})" not in text and f"({name})" not in text]
    assert [name for name in unused if name != "OMP_NUM_THREADS"] == []


def test_pinned_versions_are_installed_where_they_are_asked_for(tmp_path: Path) -> None:
    for pinned in ("", "1"):
        shown = _make(tmp_path, "--dry-run", "--always-make", "install", f"PINNED={pinned}").stdout
        lines = [line for line in shown.splitlines() if "pip install" in line]
        assert lines
        assert all(("--constraint constraints.txt" in line) == bool(pinned) for line in lines)


def test_every_requirement_has_a_pinned_version_that_it_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = (each for group in project["optional-dependencies"].values() for each in group)
    asked = [Requirement(each) for each in (*project["dependencies"], *extras)]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    versions = {canonicalize_name(name): version for name, version in pinned.items()}
    own = project["name"]
    refused = [
        str(each)
        for each in asked
        if each.name != own and not each.specifier.contains(versions.get(canonicalize_name(each.name), "0.dev0"))
    ]
    assert refused == []
