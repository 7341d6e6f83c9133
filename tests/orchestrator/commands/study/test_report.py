"""`ablate report` as a user calls it, on a study that never ran: every form says so."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from orchestrator.reporting.forms import FORMS
from tests.support.command_line import ablate


@pytest.mark.parametrize("form", FORMS)
def test_report_is_written_in_the_form_of_the_files_suffix(form: str, small: Path, tmp_path: Path) -> None:
    file = tmp_path / f"report.{form}"
    (tmp_path / "s").mkdir()
    done = ablate("report", str(small), "-o", str(file), storage=tmp_path / "s")
    text = file.read_text()
    assert done.stdout == ""
    assert {"html": "<!doctype html>", "md": "# small", "tex": "% small", "csv": "kind,", "json": "{"}[form] in text
    if form == "csv":
        assert {line["state"] for line in csv.DictReader(io.StringIO(text))} == {"pending", "missing"}
    elif form == "json":
        assert json.loads(text)["n_trials"] == 2
    else:
        assert "Nothing is scored yet" in text


def test_report_of_an_unknown_form_names_the_known_ones(small: Path, tmp_path: Path) -> None:
    done = ablate("report", str(small), "--to", "htm", storage=tmp_path / "s", check=2)
    assert "--to: must be one of terminal, html, md, tex, csv, json, but got 'htm'" in done.stderr
    assert "html" in done.stderr.splitlines()[-1]
    done = ablate("report", str(small), "-o", str(tmp_path / "report.doc"), storage=tmp_path / "s", check=2)
    assert "report.doc" in done.stderr
    assert not (tmp_path / "report.doc").exists()
