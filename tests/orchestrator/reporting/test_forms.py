"""Every form of a report is complete and has equal bytes for equal storage, wherever the study stands."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import get_args

import pytest

from orchestrator.reporting.build import build_report
from orchestrator.reporting.forms import FORMS, Form
from orchestrator.reporting.html import to_html
from orchestrator.reporting.report_model import Report
from tests.support.html_page import Page
from tests.support.report_cases import CASES, CLAIMS, finished, under_way
from tests.support.stored_studies import key_of, replace_examples, study_of, two_stage_plan
from trainables.storage import layout
from trainables.storage.store import LocalStore


def test_every_form_has_a_writer() -> None:
    assert set(FORMS) == set(get_args(Form))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES)
def test_view_of_equal_storage_has_equal_bytes_however_it_was_written(
    form: str, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.analysis.counted_looks.now", lambda: "2026-11-29T00:00:00.000+00:00")
    there = LocalStore(tmp_path / "storage")
    first = FORMS[form](CASES[case](there))
    assert FORMS[form](CASES[case](there)) == first
    if case == "finished":
        shutil.rmtree(there.root)
        assert FORMS[form](finished(LocalStore(there.root), order=lambda trials: trials[::-1])) == first


@pytest.mark.parametrize("form", ["html", "md", "tex"])
def test_every_state_of_a_cell_is_visible(form: str, store: LocalStore) -> None:
    written = FORMS[form](under_way(store))
    text = Page(written).text if form == "html" else written
    for wanted in ("no signal", "failed (seed 7)", "missing (seed 8)", "diverged (seed 7)"):
        assert wanted in text
    if form != "tex":
        log = str(store.root / layout.worker_log("small", "r32-s7", 0))
        for wanted in ("CUDA is gone", log, "too small for a patch", "gone-s7", "r64-s8-0123456789ab-1700000000"):
            assert wanted in text
    assert "refused" in Page(to_html(_refused(store))).text


def _refused(store: LocalStore) -> Report:
    """Seeds of one arm were scored on different examples."""
    finished(store)
    name = layout.evaluation_examples(key_of("evaluation r64-s7"), "shape")
    replace_examples(store, store.root / name, lambda table: table.slice(40))
    return build_report(study_of(*CLAIMS), two_stage_plan(seeds=(7, 8, 9)), store)
