"""The notebook on results runs from its first cell to its last on a study that storage has, and holds no outputs."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from tests.support.command_line import ROOT
from tests.support.several_studies import declare
from tests.support.stored_studies import finish_trial
from trainables.storage.store import LocalStore

NOTEBOOK = ROOT / "examples" / "results.ipynb"
CLAIM = "hypotheses: [{id: few, claim: Fewer steps are worse, pairs: [[base, max_steps=10]], expect: worse}]\n"


@pytest.fixture
def scored(tmp_path: Path) -> Path:
    """A study of two arms and three seeds: the base answers three questions in four, the other arm every second."""
    store = LocalStore(tmp_path / "storage")
    small = declare(store, "small", steps=(20, 10), seeds=(7, 8, 9))
    small.file.write_text(small.file.read_text() + CLAIM)
    for trial in small.plan.trials:
        scores = np.zeros(200)
        right = 150 if trial.arm == "base" else 100
        scores[np.random.default_rng(trial.seed).permutation(200)[:right]] = 1
        finish_trial(store, small.plan, trial, {each.name: scores for each in small.plan.benchmarks})
    return small.file


def test_every_cell_runs_on_a_study_that_storage_has(scored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY", str(scored))
    monkeypatch.setenv("ABLATE_STORAGE", str(scored.parent / "storage"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    printed = {cell["id"]: json.dumps(cell["outputs"]) for cell in notebook.cells if cell.cell_type == "code"}
    assert "'done': 6" in printed["load"]
    assert "Fewer steps are worse: worse" in printed["claims"]
    assert "75.0" in printed["scores"]
    assert "50.0" in printed["scores"]
    assert "max_steps=10" in printed["questions"]
    assert "Worse: -25.0 points" in printed["judge"]


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert len(cells) == 5
    assert [cell["id"] for cell in cells if cell["outputs"] or cell["execution_count"] is not None] == []
