"""Encoders that are in no catalogue: timm is asked once, in a process of its own, and storage remembers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.planning.encoder_probe import StoredProbe
from search_spaces.catalogue.entries import EncoderEntry
from tests.support.small_studies import ENCODER_STUDY
from trainables.storage.store import LocalStore


def test_timm_is_asked_in_one_process_and_storage_remembers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = StoredProbe(LocalStore(tmp_path))("test_vit")
    assert isinstance(first, EncoderEntry)
    assert (first.patch, first.width, first.checkpoint) == (16, 64, "hub:timm/test_vit.r160_in1k")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("timm was asked again")

    monkeypatch.setattr(subprocess, "run", refuse)
    assert StoredProbe(LocalStore(tmp_path))("test_vit") == first


def test_a_plan_with_names_of_the_catalogue_starts_no_process(tmp_path: Path) -> None:
    """In a fresh interpreter, in which to start a process is an error."""
    code = (
        "import subprocess, sys\n"
        "def refuse(*a, **k): raise AssertionError('a process was started')\n"
        "subprocess.Popen.__init__ = refuse\n"
        "from orchestrator.cli import app\n"
        f"app(['plan', sys.argv[1], '--storage', {str(tmp_path)!r}], standalone_mode=False)\n"
        "print(sorted({'torch', 'timm'} & set(sys.modules)))"
    )
    study = tmp_path / "study.yaml"
    study.write_text(ENCODER_STUDY.format(name="dinosiglip-vit-so-384px", more=""))
    done = subprocess.run([sys.executable, "-c", code, str(study)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
