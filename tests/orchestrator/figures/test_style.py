"""Figures for papers have the colours of the report."""

from __future__ import annotations

import re

from orchestrator.figures.style import bar_colour, palette, settings
from orchestrator.reporting.html import _template


def test_colours_are_those_of_the_style_sheet_on_a_light_page() -> None:
    sheet = _template("report.css")
    for name in ("ink", "muted", "line", "accent", "yes", "no", "open"):
        assert palette()[name] == re.findall(rf"--{name}: (#\w+);", sheet)[0]


def test_every_kind_of_line_has_a_colour() -> None:
    colours = {kind: bar_colour(kind) for kind in ("yes", "no", "open", "higher", "lower", "level")}
    assert colours["higher"] == colours["yes"] == palette()["yes"]
    assert colours["lower"] == colours["no"] == palette()["no"]


def test_fonts_are_embedded() -> None:
    assert (settings()["pdf.fonttype"], settings()["svg.fonttype"]) == (42, "path")
