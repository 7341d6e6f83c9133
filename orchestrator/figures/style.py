"""Colours, letters and file settings of figures for papers. Colours are those of the report's style sheet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import resources

import matplotlib

LETTERS_PT = 7
"""Size of all letters: journals ask for 5 to 8 points at the printed width."""
LINE_PT = 0.9
DOT_PT = 3.6
"""Diameter of a dot or ring."""

_SETTINGS: Mapping[str, object] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that equal results give equal bytes on every machine
    "font.size": LETTERS_PT,
    "text.parse_math": False,  # names with two `$` are names, no formulas
    "axes.titlesize": LETTERS_PT,
    "axes.labelsize": LETTERS_PT,
    "xtick.labelsize": LETTERS_PT,
    "ytick.labelsize": LETTERS_PT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.0,
    "ytick.major.size": 2.0,
    "lines.linewidth": LINE_PT,
    "pdf.fonttype": 42,  # TrueType, which journals ask for, in the place of Type 3
    "svg.fonttype": "path",
    "svg.hashsalt": "ablate",
    "savefig.dpi": 300,
}


@cache
def palette() -> Mapping[str, str]:
    """Read the colours of a light page from the style sheet of the report, by their names there."""
    sheet = (resources.files("orchestrator.reporting") / "templates" / "report.css").read_text(encoding="utf-8")
    light = sheet[: sheet.index("@media")]
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})(?=;)", light))


def settings() -> dict[str, object]:
    """Return matplotlib's settings for the figures."""
    colours = palette()
    return {
        **_SETTINGS,
        "text.color": colours["ink"],
        "axes.labelcolor": colours["muted"],
        "axes.edgecolor": colours["muted"],
        "xtick.color": colours["muted"],
        "ytick.color": colours["muted"],
        "xtick.labelcolor": colours["ink"],
        "ytick.labelcolor": colours["ink"],
        "grid.color": colours["line"],
    }


@contextmanager
def paper_style() -> Iterator[None]:
    """Draw with these settings and else with matplotlib's own, whatever matplotlibrc a user or a folder has."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings())  # type: ignore[arg-type]  # its stubs have a name for each setting
        yield


def bar_colour(kind: str) -> str:
    """Return the colour of a line of a forest plot, by the class that it has in the report."""
    names = {"higher": "yes", "lower": "no", "level": "muted"}
    return palette()[names.get(kind, kind)]
