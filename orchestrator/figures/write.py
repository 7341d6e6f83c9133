"""Write the figures of a report into a folder: pictures, the table behind each, and the captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import matplotlib
from matplotlib.figure import Figure

from orchestrator.figures.kinds import FigureKind, paper_figures
from orchestrator.figures.style import settings
from orchestrator.reporting.csv_text import csv_text
from orchestrator.reporting.report_model import Report

PictureFormat = Literal["svg", "pdf", "png"]
FORMATS: tuple[PictureFormat, ...] = get_args(PictureFormat)

_METADATA: Mapping[PictureFormat, Mapping[str, Any]] = {
    "svg": {"Date": None, "Creator": "ablate"},
    "pdf": {"CreationDate": None, "Creator": "ablate"},
    "png": {"Software": "ablate"},
}
"""What files say of themselves: nothing that changes from day to day, so that equal results give equal bytes."""

CAPTIONS = "captions.md"


def write_figures(
    report: Report, folder: Path, kinds: Sequence[FigureKind], formats: Sequence[PictureFormat], width_in: float
) -> list[Path]:
    """Write figures, a CSV file with the values of each, and `captions.md`.

    Args:
        report: of a study.
        folder: that is made where it is not there; files of the same names are replaced.
        kinds: of figures; of those for which the report has no values, nothing is written.
        formats: of the pictures.
        width_in: of the figures, in inches.

    Returns:
        The files, in the order in which they were written; none where there is nothing to draw.
    """
    written, captions = list[Path](), [f"# Figures of {report.study}\n"]
    figures = list(paper_figures(report, kinds))
    if not figures:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(rc=settings()):  # type: ignore[arg-type]  # its stubs have a name for each setting
        for figure in figures:
            drawn = figure.draw(width_in)
            written += [_saved(drawn, folder / f"{figure.name}.{name}", name) for name in formats]
            table = folder / f"{figure.name}.csv"
            table.write_text(csv_text(figure.columns, figure.rows), encoding="utf-8")
            written.append(table)
            captions.append(f"## {figure.name}\n\n{figure.caption}\n")
    (folder / CAPTIONS).write_text("\n".join(captions), encoding="utf-8")
    return [*written, folder / CAPTIONS]


def _saved(drawn: Figure, path: Path, name: PictureFormat) -> Path:
    drawn.savefig(path, format=name, metadata=dict(_METADATA[name]))
    return path
