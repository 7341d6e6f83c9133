"""LaTeX tables escape every name, split over pages and compile."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from orchestrator.reporting.build import build_report
from orchestrator.reporting.latex import ARROWS, to_tex
from orchestrator.reporting.report_model import Mark
from tests.support.report_cases import CASES, hostile, scores
from tests.support.stored_studies import finish_trial, study_of, two_stage_plan
from trainables.storage.store import LocalStore


def test_latex_escapes_hostile_names_and_is_complete(store: LocalStore) -> None:
    text = to_tex(hostile(store))
    assert r"\textless{}script\textgreater{}" in text
    assert r"\& 50 \% of \#1\_a \$x\textasciicircum{}2\$ \{b\}\textasciitilde{}\textbackslash{}" in text
    assert text.count(r"\begin{table*}") == text.count(r"\end{table*}") == 2
    assert r"\toprule" in text


def test_latex_splits_more_benchmarks_than_fit_a_page(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7,), benchmarks=[f"b{i}" for i in range(9)])
    for trial in plan.trials:
        finish_trial(store, plan, trial, scores(trial.arm, trial.seed, plan))
    text = to_tex(build_report(study_of(), plan, store))
    assert text.count(r"\begin{table*}") == 2
    assert "(8 to 9 of 9)" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex (Debian: texlive-latex-base)")
@pytest.mark.parametrize("case", CASES)
def test_latex_compiles(case: str, store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "tables.tex").write_text(to_tex(CASES[case](store)))
    head = r"\documentclass{article}\usepackage{booktabs}\setlength{\textwidth}{6.5in}"
    paper = head + r"\begin{document}\input{tables}~\end{document}"
    (tmp_path / "paper.tex").write_text(paper)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stdout[-2000:]
    assert "Overfull" not in made.stdout or case == "hostile"  # names without a place to break


def test_every_mark_has_its_arrow() -> None:
    assert set(ARROWS) == set(get_args(Mark))
