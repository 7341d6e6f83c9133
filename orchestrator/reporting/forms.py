"""The forms in which a report can be written to a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from orchestrator.reporting.csv_json import to_csv, to_json
from orchestrator.reporting.html import to_html
from orchestrator.reporting.latex import to_tex
from orchestrator.reporting.markdown import to_markdown
from orchestrator.reporting.report_model import Report

Form = Literal["html", "md", "tex", "csv", "json"]

FORMS: Mapping[Form, Callable[[Report], str]] = {
    "html": to_html,
    "md": to_markdown,
    "tex": to_tex,
    "csv": to_csv,
    "json": to_json,
}
"""Name of a form, which is also the suffix of its files -> what writes it."""
