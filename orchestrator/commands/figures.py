"""`ablate figures`: the figures of a report as files for a paper."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from orchestrator.commands.option_groups import takes_groups
from orchestrator.commands.options import (
    JsonOption,
    SelectionOptions,
    StorageOption,
    StudyArgument,
    console,
    planned_study,
    print_json,
)
from orchestrator.settings import existing_storage
from search_spaces.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T", bound=str)

INCHES = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4, "pt": 1 / 72}
LEAST_IN, MOST_IN = 2.0, 20.0
"""Narrower figures have no room for names of arms, wider ones no page."""


@takes_groups
def figures(
    study: StudyArgument,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write; it is made if need be.")],
    formats: Annotated[str, typer.Option("--format", help="svg, pdf, png, joined by commas.")] = "svg,pdf,png",
    width: Annotated[
        str, typer.Option("--width", help="Of the figures: 3.3in (a column of many journals), 84mm, 17.4cm, 240pt.")
    ] = "3.3in",
    only: Annotated[
        str | None,
        typer.Option("--only", help="claims, forest, axes, pareto, seeds, curves, joined by commas (default: all)."),
    ] = None,
    storage: StorageOption = None,
    selection: SelectionOptions,
    as_json: JsonOption = False,
) -> None:
    """Write the figures of a study for a paper, each with its caption and a CSV file of its values.

    Letters are outlines in SVG and embedded TrueType in PDF. Equal results give equal bytes.
    """
    from orchestrator.figures.kinds import KINDS
    from orchestrator.figures.write import FORMATS, write_figures
    from orchestrator.reporting.kept_report import report_of

    width_in = inches(width)
    chosen_formats = _chosen(formats, FORMATS, "--format")
    kinds = KINDS if only is None else _chosen(only, KINDS, "--only")
    shown = report_of(*planned_study(study, existing_storage(storage), selection))
    folder = output.expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise InputError("must be a folder, but there is a file", key="--output", place=str(folder))
    written = write_figures(shown, folder, kinds, chosen_formats, width_in)
    if not written:
        law = "there must be scores or losses to draw, but there are none yet"
        raise InputError(law, place=shown.study, way_out="`ablate run` makes them; `ablate status` says what is left.")
    if as_json:
        print_json({"study": shown.study, "width_in": width_in, "files": [str(path) for path in written]})
        return
    names = [path.name for path in written]
    console().print(f"{len(names)} files in {folder}:\n  {', '.join(names)}", soft_wrap=True)


def inches(text: str) -> float:
    """Read a length such as `3.3in` or `84mm`. Raises InputError."""
    match = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(in|cm|mm|pt)\s*", text)
    value = float(match[1]) * INCHES[match[2]] if match else 0.0
    if not LEAST_IN <= value <= MOST_IN:
        law = f"must be a length of {LEAST_IN:g} to {MOST_IN:g} inches with its unit, but got {text!r}"
        raise InputError(law, key="--width", way_out="For example: --width 3.3in, --width 84mm.")
    return value


def _chosen(text: str, legal: Sequence[T], key: str) -> tuple[T, ...]:
    """Read names that are joined by commas, each once."""
    names = list(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in legal:
            raise InputError(
                f"must be some of {', '.join(legal)}, but got {name!r}", key=key, way_out=nearest(name, legal)
            )
    if not names:
        raise InputError(f"must be some of {', '.join(legal)}, but got none", key=key)
    return tuple(name for name in legal if name in names)
