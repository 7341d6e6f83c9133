"""Damage every kind of file in every way, run every command, and write the table: `python -m measurements.damage`.

It takes about a third of a second per case, of which there are more than two thousand. With `--cases FILE` outcomes are
kept in a file, and the same command goes on where it ended.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from measurements.damage.kinds import DAMAGES, KINDS
from measurements.damage.outcomes import is_fault, judge
from measurements.damage.storages import COLUMNS, Storages, make_storages
from measurements.damage.table import Case, append_case, page, read_cases

PAGE = Path(__file__).parents[2] / "docs" / "damaged-files.md"


def main(arguments: list[str]) -> int:
    """Write the page; the exit code is that of a fault if a case is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--columns", nargs="*", default=list(COLUMNS))
    parser.add_argument("--output", type=Path, default=PAGE)
    parser.add_argument("--cases", type=Path, help="file of outcomes, from which the same command goes on")
    parser.add_argument("--log", type=Path, help="file to which all that is said in a fault is appended")
    options = parser.parse_args(arguments)
    cases = [] if options.cases is None else list(read_cases(options.cases))
    known = {case[:3] for case in cases}
    todo = [
        (kind, way, column)
        for kind in options.kinds
        for column in options.columns
        for way in DAMAGES
        if (kind, way, column) not in known
    ]
    if todo:
        with tempfile.TemporaryDirectory() as scratch:
            for case in _judged(todo, make_storages(Path(scratch)), Path(scratch), options.log):
                cases.append(case)
                if options.cases is not None:
                    append_case(options.cases, case)
    kinds, columns, ways = list(KINDS), list(COLUMNS), list(DAMAGES)
    cases.sort(key=lambda case: (kinds.index(case.kind), columns.index(case.column), ways.index(case.way)))
    options.output.write_text(page(cases))
    return sum(is_fault(case.outcome) for case in cases) and 1


def _judged(
    todo: Sequence[tuple[str, str, str]], storages: Storages, scratch: Path, log: Path | None
) -> Iterator[Case]:
    """Judge cases, and tell of each in a line."""
    for kind, way, column in todo:
        choice = storages.of(column, kind)
        if choice is None:
            continue
        reference, command = choice
        outcome, said = judge(reference, command, kind, way, scratch)
        print(kind, "|", way, "|", column, "|", outcome, flush=True)
        if is_fault(outcome) and log is not None:
            with log.open("a") as file:
                file.write(f"=== {kind} | {way} | {column} | {outcome}\n{said}\n")
        yield Case(kind, way, column, outcome)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
