"""Read a file of scores into columns of numbers: find the header, the column of models, and which cells are scores."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.analysis.score_cells import (
    Cell,
    DecimalSign,
    ambiguous,
    bare,
    decimal_signs,
    number_of_text,
    read_cell,
)
from orchestrator.analysis.score_means import Column
from search_spaces.alike_names import alike, seen_name, shown_apart
from search_spaces.errors import InputError, Problems
from search_spaces.quantities import number_of
from trainables.benchmarks.files.delimited import Delimited, Line
from trainables.benchmarks.files.table_files import read_lines

ALIASES = {
    "VQAv2": "vqav2",
    "GQA": "gqa",
    "VizWiz": "vizwiz",
    "TextVQA+OCR": "textvqa-ocr",
    "TextVQA": "textvqa",
    "RefCOCO": "refcoco",
    "RefCOCO+": "refcoco+",
    "RefCOCOg": "refcocog",
    "OCIDRef": "ocidref",
    "VSR": "vsr",
    "POPE": "pope",
    "TallyQA": "tallyqa",
    "AI2D": "ai2d",
}
"""Column names of the published table -> benchmark ids."""
_ARROWS = {**dict.fromkeys("\u2193\u2b07\u25bc", "lower"), **dict.fromkeys("\u2191\u2b06\u25b2", "higher")}
_LATEX_ARROWS = {r"\downarrow": "\u2193", r"\uparrow": "\u2191"}
_SHOWN = 3


@dataclass(frozen=True)
class ScoreFile:
    """Columns of a file of scores."""

    models: tuple[str, ...]
    columns: tuple[Column, ...]
    """Those with numbers."""
    arrows: Mapping[str, str]
    """Column -> `higher` or `lower`, where the header has an arrow."""
    notes: tuple[str, ...]
    """What was left out, and what was read otherwise than it stands there."""


def read_score_file(path: Path) -> ScoreFile:
    """Read a table of models by benchmarks: CSV with any usual separator, Markdown, rows of LaTeX, or an Excel sheet.

    Raises:
        InputError: for a file that cannot be read, a name that comes twice, lines of another length than the header,
            cells that are neither empty nor a finite number, and numbers that can be read in two ways.
    """
    table = read_lines(path)
    header, place = table.lines[0], str(path)
    if len(table.lines) < 2:
        raise InputError("a table must have a header with benchmarks, and lines of models", place=place)
    names = [bare(_without_latex_arrows(name)) for name in header.cells]
    benchmarks = [ALIASES.get(name, name) for name in names]
    _check_lengths(table, place)
    _refuse_no_header(header, f"{place}:{header.number}")
    lines, dropped = _lines_of_models(table.lines[1:], header, len(names))
    model = _model_column(lines, names)
    columns = [number for number in range(model + 1, len(names)) if benchmarks[number] or _has_text(lines, number)]
    _refuse_repeated([benchmarks[number] for number in columns], f"{place}:{header.number}")
    models = _models(lines, model, place)
    _refuse_turned(models, benchmarks, place)
    cells = {benchmarks[number]: [read_cell(line.cells[number]) for line in lines] for number in columns}
    sign = _decimal_sign(cells, place)
    numbers, texts = _numbers(cells, lines, sign, place)
    read = [_column(name, models, cells[name], numbers[name]) for name in cells if name not in texts]
    empty = [column.name for column in read if not column.numbers]
    arrows = {benchmarks[number]: arrow for number in columns if (arrow := _arrow(header.cells[number]))}
    notes = [
        *(f"Left out: the title {title!r}." for title in table.titles),
        *dropped,
        *_text_notes(texts),
        *_cell_notes(cells, models, table, sign),
    ]
    notes += [f"Left out: {name} has no score at all." for name in empty]
    return ScoreFile(models, tuple(column for column in read if column.numbers), arrows, tuple(notes))


def _without_latex_arrows(name: str) -> str:
    for command, arrow in _LATEX_ARROWS.items():
        name = name.replace(command, arrow)
    return re.sub(r"\s*\(\s*\)$", "", re.sub(f"[{''.join(_ARROWS)}$]", "", name)).strip()


def _arrow(name: str) -> str | None:
    for command, arrow in _LATEX_ARROWS.items():
        name = name.replace(command, arrow)
    return next((_ARROWS[sign] for sign in name if sign in _ARROWS), None)


def _check_lengths(table: Delimited, place: str) -> None:
    """Check that every line has as many cells as the header; report all others as one problem."""
    width = len(table.lines[0].cells)
    wrong = [line for line in table.lines if len(line.cells) != width]
    if not wrong:
        return
    first = wrong[0]
    more = f"; so have {number_of(len(wrong) - 1, 'more line')}" if len(wrong) > 1 else ""
    commas = table.separator == "," and len(first.cells) == 2 * width - 1
    raise InputError(
        f"a line must have {width} cells as the header, {table.separated_by}, but has {len(first.cells)}{more}",
        place=f"{place}:{first.number}",
        way_out="With decimal commas, put numbers in quotes or separate columns by semicolons." if commas else None,
    )


def _lines_of_models(lines: Sequence[Line], header: Line, width: int) -> tuple[list[Line], list[str]]:
    """Drop the lines that are no model: the header again, and units or names of metrics below it."""
    kept, notes = [], []
    for line in lines:
        texts = [cell for cell in line.cells[1:] if read_cell(cell).number]
        is_header = line.cells == header.cells
        is_below = line is lines[0] and len(texts) > 1
        is_units = (
            (is_below or not line.cells[0]) and bool(texts) and not any(_looks_like_a_number(text) for text in texts)
        )
        if is_header or is_units:
            what = "is the header again" if is_header else f"has no number ({', '.join(texts[:_SHOWN])})"
            notes.append(f"Left out: line {line.number} {what}.")
        else:
            kept.append(line)
    return kept, notes


def _looks_like_a_number(text: str) -> bool:
    return any(number_of_text(read_cell(text).number, sign) is not None for sign in (".", ","))


def _has_text(lines: Sequence[Line], number: int) -> bool:
    return any(line.cells[number] for line in lines)


def _model_column(lines: Sequence[Line], names: Sequence[str]) -> int:
    """Find the column with the models' ids: the first, or the second where the first only counts the lines."""
    counts = [line.cells[0] for line in lines]
    is_counter = (names[0] in ("", "#", "index", "Unnamed: 0", "rank")) and all(cell.isdigit() for cell in counts)
    if is_counter and len(names) > 2 and not any(_looks_like_a_number(line.cells[1]) for line in lines):
        return 1
    return 0


def _models(lines: Sequence[Line], column: int, place: str) -> tuple[str, ...]:
    models: list[str] = []
    for line in lines:
        model = bare(line.cells[column])
        if not model or model in models:
            problem = f"{model!r} is there twice" if model else "one is empty"
            raise InputError(
                f"the first cell must be a model's id, each once, but {problem}",
                place=f"{place}:{line.number}",
                way_out="A table has one line for each model; `--items` judges runs with several seeds."
                if model
                else None,
            )
        looks_like = alike([*models, model])
        if looks_like:
            law = "models must differ in more than case, blanks and unseen signs"
            raise InputError(f"{law}, but {shown_apart(*looks_like[0])} do not", place=f"{place}:{line.number}")
        models.append(model)
    return tuple(models)


def _refuse_turned(models: Sequence[str], benchmarks: Sequence[str], place: str) -> None:
    """Refuse a table with benchmarks in its lines."""
    known = {*ALIASES, *ALIASES.values()}
    turned = [name for name in models if name in known]
    if len(turned) > 1 and not known & set(benchmarks):
        raise InputError(
            f"lines must be models and columns benchmarks, but lines are called {', '.join(turned[:_SHOWN])}",
            place=place,
            way_out="Turn the table.",
        )


def _refuse_no_header(header: Line, place: str) -> None:
    """Refuse a table whose first line holds scores."""
    numbers = [cell for cell in header.cells[1:] if _looks_like_a_number(cell)]
    if len(numbers) == len(header.cells) - 1 > 1 and any(read_cell(cell).decimals for cell in numbers):
        shown = ", ".join(header.cells[: 1 + _SHOWN])
        raise InputError(f"the first line must name the benchmarks, but holds scores: {shown}", place=place)


def _refuse_repeated(names: Sequence[str], place: str) -> None:
    seen = [seen_name(name) for name in names]
    repeated = [name for name in dict.fromkeys(names) if seen.count(seen_name(name)) > 1]
    if repeated or "" in names:
        problem = f"{', '.join(filter(None, repeated))} come more than once" if any(repeated) else "one has no name"
        raise InputError(f"a benchmark must be one column, but {problem}", place=place)


def _decimal_sign(cells: Mapping[str, Sequence[Cell]], place: str) -> DecimalSign:
    """Find the decimal sign of a table. Raises InputError where both are there, and where 1,510 may be 1.51."""
    numbers = [cell.number for column in cells.values() for cell in column]
    signs = decimal_signs(numbers)
    if len(signs) == 2:
        raise InputError(
            f"numbers must have one decimal sign, but {signs['.']!r} has a point and {signs[',']!r} a comma",
            place=place,
        )
    unclear = ambiguous(numbers)
    if not signs and unclear is not None:
        raise InputError(
            f"numbers must be plain, but {unclear!r} is {unclear.replace(',', '.')} or {unclear.replace(',', '')}",
            place=place,
            way_out="Write numbers without commas between thousands, and with decimals.",
        )
    return "," if "," in signs else "."


def _numbers(
    cells: Mapping[str, Sequence[Cell]], lines: Sequence[Line], sign: DecimalSign, place: str
) -> tuple[dict[str, list[float | None]], dict[str, str]]:
    """Read the cells of all columns.

    Returns:
        Column -> number of each line, None where there is no score; and columns without a number -> one of their texts.

    Raises:
        InputError: texts in columns of numbers, one problem for each column.
    """
    problems = Problems()
    numbers: dict[str, list[float | None]] = {}
    texts: dict[str, str] = {}
    for name, column in cells.items():
        numbers[name] = [number_of_text(cell.number, sign) for cell in column]
        wrong = [i for i, cell in enumerate(column) if cell.number and numbers[name][i] is None]
        if wrong and len(lines) > 1 and all(number is None for number in numbers[name]):
            texts[name] = column[wrong[0]].number
        elif wrong:
            also = [f"line {lines[i].number} {column[i].number!r}" for i in wrong[1 : 1 + _SHOWN]]
            more = f" ({number_of(len(wrong) - 1, 'more')}: {', '.join(also)})" if also else ""
            law = f"a score must be a number, or empty where there is none, but got {column[wrong[0]].number!r}{more}"
            problems.add(InputError(law, place=f"{place}:{lines[wrong[0]].number}", key=name))
    problems.raise_all()
    return numbers, texts


def _column(name: str, models: Sequence[str], cells: Sequence[Cell], numbers: Sequence[float | None]) -> Column:
    scored = {model: number for model, number in zip(models, numbers, strict=True) if number is not None}
    return Column(name, scored, max((cell.decimals for cell in cells), default=0))


def _text_notes(texts: Mapping[str, str]) -> Iterator[str]:
    for name, text in texts.items():
        yield f"Left out: {name} holds no numbers ({text!r})."


def _cell_notes(
    cells: Mapping[str, Sequence[Cell]], models: Sequence[str], table: Delimited, sign: DecimalSign
) -> Iterator[str]:
    """Say what was read otherwise than a plain CSV file has it."""
    if table.separator != "," or sign == ",":
        decimals = ", with decimal commas" if sign == "," else ""
        yield f"Columns are {table.separated_by}{decimals}."
    spread = [name for name, column in cells.items() if any(cell.has_spread for cell in column)]
    if spread:
        yield f"Not used: what follows scores after +- or in brackets, in {', '.join(spread)}."
    for number, model in enumerate(models):
        if not any(column[number].number for column in cells.values()):
            yield f"{model} has no score at all."
