"""Write the figures of a report into a folder: pictures, the table behind each, and the captions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

from orchestrator.figures.captions import CAPTIONS, captions_text, read_captions
from orchestrator.figures.kinds import KINDS, FigureKind, PaperFigure, kind_of, paper_figures
from orchestrator.figures.style import paper_style
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

TABLE = "csv"
"""Suffix of the table behind a figure."""


def write_figures(
    report: Report, folder: Path, kinds: Sequence[FigureKind], formats: Sequence[PictureFormat], width_in: float
) -> list[Path]:
    """Write figures, a CSV file with the values of each, and `captions.md`.

    All are written aside and then renamed: where one cannot be drawn, no file changes. Captions of other
    kinds of figures that are there stay. What an earlier call has written and is no longer true is removed: figures of
    these kinds that are no longer drawn, and pictures in other formats of values that have changed.

    Args:
        report: of a study.
        folder: that is made where it is not there; files of the same names are replaced.
        kinds: of figures; of those for which the report has no values, nothing is written.
        formats: of the pictures.
        width_in: of the figures, in inches.

    Returns:
        The files, in the order in which they were written; none where there is nothing to draw.

    Raises:
        InputError: the folder holds figures of another study.
    """
    figures = list(paper_figures(report, kinds))
    if not figures:
        return []
    earlier = read_captions(folder, report.study, KINDS)
    names = [figure.name for figure in figures]
    gone = [name for name in earlier if kind_of(name) in kinds and name not in names]
    captions = earlier | {figure.name: figure.caption for figure in figures}
    ordered = {name: captions[name] for name in sorted(captions.keys() - set(gone), key=_place)}
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".figures-", dir=folder) as aside:
        written = [path for figure in figures for path in _write(figure, Path(aside), formats, width_in)]
        written.append(Path(aside) / CAPTIONS)
        written[-1].write_text(captions_text(report.study, ordered), encoding="utf-8")
        outdated = [folder / f"{name}.{suffix}" for name in gone for suffix in (*FORMATS, TABLE)]
        outdated += [
            folder / f"{name}.{suffix}"
            for name in names
            if not _is_equal(Path(aside) / f"{name}.{TABLE}", folder / f"{name}.{TABLE}")
            for suffix in FORMATS
            if name in earlier and suffix not in formats
        ]
        for path in outdated:
            path.unlink(missing_ok=True)
        return [path.replace(folder / path.name) for path in written]


def _write(figure: PaperFigure, folder: Path, formats: Sequence[PictureFormat], width_in: float) -> list[Path]:
    """Write the pictures of a figure and its table."""
    pictures = {name: folder / f"{figure.name}.{name}" for name in formats}
    with paper_style():
        drawn = figure.draw(width_in)
        for name, path in pictures.items():
            drawn.savefig(path, format=name, metadata=dict(_METADATA[name]))
    table = folder / f"{figure.name}.{TABLE}"
    table.write_text(csv_text(figure.columns, figure.rows), encoding="utf-8")
    return [*pictures.values(), table]


def _is_equal(new: Path, old: Path) -> bool:
    return old.is_file() and old.read_bytes() == new.read_bytes()


def _place(name: str) -> tuple[int, str]:
    """Sort names of figures by their kind, and parts by their numbers."""
    return KINDS.index(kind_of(name)), re.sub(r"\d+", lambda number: number[0].zfill(9), name)
