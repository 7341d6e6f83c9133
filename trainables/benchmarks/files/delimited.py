"""Split a table that is kept as text into cells: CSV with any usual separator, Markdown, rows of LaTeX.

Which separator it has is seen in the lines: that by which most of them have as many cells as the header.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from search_spaces.errors import InputError

SEPARATORS: Mapping[str, str] = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "|", "&": "&"}
"""Separator -> its name."""
_LARGEST_CELL = 2**27
_DECLARED = re.compile(r'"?sep=(.)"?\s*')
_RULE = re.compile(r"[|:=+\s-]*-[|:=+\s-]*")
_LATEX_RULE = re.compile(r"(?<!\\)\\(hline|\w*rule|cline|begin|end|rowcolor|addlinespace|centering|caption|label)\b.*")
_LATEX_END = re.compile(r"\\\\\s*(\[[^\]]*\])?\s*(\\\w*(rule|hline|line)\b.*)?$")


@dataclass(frozen=True)
class Line:
    """Cells of one line, without the space around them."""

    number: int
    """In the file, from 1; of cells with line breaks in quotes the last one."""
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Delimited:
    """Lines of a table, neither empty ones nor comments; the first is the header."""

    separator: str
    lines: tuple[Line, ...]
    titles: tuple[str, ...] = ()
    """Texts of lines with one cell above the header."""

    @property
    def separated_by(self) -> str:
        return f"separated by {SEPARATORS[self.separator]}"


def split_table(text: str, place: str) -> Delimited:
    """Split a table into its cells.

    Lines that begin with # are comments, but for a first one that is as wide as the next. `sep=;` in the first line,
    as Excel has it, declares the separator. Cells that are empty in every line at the end are left out.

    Args:
        text: content of the file; line ends are `\\n`.
        place: the file, for errors.

    Raises:
        InputError: where the first line has none of the separators, and where quotes do not end.
    """
    declared = _DECLARED.fullmatch(text.partition("\n")[0])
    if declared is not None and declared[1] in SEPARATORS:
        return _split(text[declared.end() :], declared[1], place)
    tried, errors = [], []
    for separator in SEPARATORS:
        try:
            tried.append(_split(text, separator, place))
        except InputError as error:
            errors.append(error)
    wide = [table for table in tried if table.lines and len(table.lines[0].cells) > 1]
    if wide:
        return max(wide, key=_fit)
    if errors and not any(table.lines for table in tried):
        raise errors[0]
    raise _no_table(text, place)


def split_answers(text: str, place: str) -> Delimited:
    """Split a table of texts, whose cells are kept as they are: CSV with commas, semicolons or tabs, without comments.

    Args:
        text: content of the file; line ends are `\\n`.
        place: the file, for errors.

    Raises:
        InputError: where no separator makes a header of two columns or more, and where quotes do not end.
    """
    tried, errors = [], []
    for separator in (",", ";", "\t"):
        try:
            lines = tuple(line for line in _csv_rows(text, separator, place, exact=True) if any(line.cells))
            tried.append(Delimited(separator, lines))
        except InputError as error:
            errors.append(error)
    tried += _without_quotes(text) if errors else []
    wide = [table for table in tried if table.lines and len(table.lines[0].cells) > 1]
    if wide:
        return max(wide, key=_fit)
    raise errors[0] if errors else _no_table(text, place)


def _without_quotes(text: str) -> list[Delimited]:
    """Split at tabs alone, where that gives lines of one width: such files have quotes that are part of texts."""
    lines = [Line(n, tuple(line.split("\t"))) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
    width = len(lines[0].cells) if lines else 0
    return [Delimited("\t", tuple(lines))] if width > 1 and all(len(line.cells) == width for line in lines) else []


def _no_table(text: str, place: str) -> InputError:
    first = next((line.strip() for line in text.split("\n") if line.strip() and not line.startswith("#")), "")
    return InputError(
        "a table must have a header with two columns or more, separated by commas, semicolons, tabs, | or &,"
        f" and lines below it, but its first line is {first[:80]!r}",
        place=place,
    )


def _fit(table: Delimited) -> tuple[int, float, int]:
    """Rate a separator: no titles above the header, the share of lines that are as wide as it, its width."""
    width = len(table.lines[0].cells)
    return -len(table.titles), sum(len(line.cells) == width for line in table.lines) / len(table.lines), width


def _split(text: str, separator: str, place: str) -> Delimited:
    lines = list(_without_comments(list(_rows(text, separator, place))))
    header = next((at for at, line in enumerate(lines) if len(_stripped(line.cells)) > 1), 0)
    titles, lines = lines[:header], lines[header:]
    if lines:
        width = len(_stripped(lines[0].cells))
        lines = [Line(line.number, _stripped(line.cells, width)) for line in lines]
    return Delimited(separator, tuple(lines), tuple(line.cells[0] for line in titles))


def _stripped(cells: Sequence[str], least: int = 1) -> tuple[str, ...]:
    """Drop empty cells at the end, down to a least number of cells."""
    end = len(cells)
    while end > least and not cells[end - 1]:
        end -= 1
    return tuple(cells[:end])


def _without_comments(lines: Sequence[Line]) -> Iterator[Line]:
    """Drop comments and empty lines. `#model,gqa` is a header if the next line is no comment and as wide."""
    following = next((line for line in lines if not line.cells[0].startswith("#")), None)
    for number, line in enumerate(lines):
        is_comment = line.cells[0].startswith("#")
        is_header = (
            is_comment
            and following is not None
            and following in lines[number : number + 2]
            and len(line.cells) == len(following.cells) > 1
        )
        if any(line.cells) and (not is_comment or is_header):
            yield line


def _rows(text: str, separator: str, place: str) -> Iterator[Line]:
    if separator == "|":
        yield from _piped_rows(text)
    elif separator == "&":
        yield from _latex_rows(text)
    else:
        yield from _csv_rows(text, separator, place)


def _csv_rows(text: str, separator: str, place: str, exact: bool = False) -> Iterator[Line]:
    """Read rows of CSV. `exact`: with the space around cells."""
    csv.field_size_limit(_LARGEST_CELL)
    source = io.StringIO(text, newline="")
    reader = csv.reader(source, delimiter=separator, strict=True, skipinitialspace=not exact)
    try:
        for row in reader:
            if row:
                yield Line(reader.line_num, tuple(row if exact else (cell.strip() for cell in row)))
    except csv.Error as error:
        raise InputError(
            f"a table must be a readable CSV file, but {error}", place=f"{place}:{reader.line_num}"
        ) from error


def _piped_rows(text: str) -> Iterator[Line]:
    """Read lines of Markdown, or of CSV with pipes; the rule below the header is no line."""
    for number, line in enumerate(text.split("\n"), start=1):
        inner = line.strip()
        if not inner or _RULE.fullmatch(inner):
            continue
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inner)]
        if inner.startswith("|"):
            cells = cells[1:]
        if inner.endswith("|") and not inner.endswith("\\|") and len(cells) > 1:
            cells = cells[:-1]
        yield Line(number, tuple(cells))


def _latex_rows(text: str) -> Iterator[Line]:
    """Read the rows of a tabular environment; rules and comments are no lines."""
    for number, line in enumerate(text.split("\n"), start=1):
        row = _LATEX_END.sub("", re.sub(r"(?<![\\\d])%.*", "", line).strip())
        row = row.strip() if "&" in row else _LATEX_RULE.sub("", row).strip()
        if row:
            yield Line(number, tuple(cell.strip() for cell in re.split(r"(?<!\\)&", row)))
