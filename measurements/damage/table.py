"""Write the table of damaged files as a page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from measurements.damage.kinds import NOT_TRIED
from measurements.damage.outcomes import Outcome, is_fault

SHORT: dict[Outcome, str] = {
    "unaffected": "-",
    "redone": "redone",
    "not there yet": "new",
    "lost": "lost",
    "dropped with a notice": "notice",
    "refused by name": "refused",
    "named": "named",
    "traceback": "**traceback**",
    "silently": "**silently**",
    "for ever": "**for ever**",
    "unnamed": "**unnamed**",
}

_HEAD = """# Damaged files

What every command makes of every kind of file on storage that is damaged: {cases:,} cases, made by `make damaged`
(`python -m measurements.damage`). For each, one file of a small study was damaged in one of five ways: it is empty, it
is garbage of the same size, one bit is another, it is gone, or its second half is. Then the command ran, and what it
said and left was compared with the undisturbed study.

- `-`: unaffected; it says and writes what it does without the damage.
- `redone`: the file is made again, with the content that it had; the same command then has nothing left to do.
- `new`: the file is gone, and no other says that it was ever there: what it stands for is shown as not done, or not
  known.
- `lost`: the file is gone, no other says that it was ever there, and it tells of something that has happened: a look at
  results that was taken and is not counted any more ([looks.md](looks.md#what-is-counted)).
- `notice`: the command goes on without the file, and names it with what becomes of it.
- `refused`: exit code 2, with the file and a way out: only a person can give it back.
- `named`: what `verify` is for: the file, what is wrong with it and who mends it, with exit code 1.

A cell with one word holds for all five ways; else they are listed in the order 0 bytes, garbage, one bit, absent, half.
An empty cell: that study has no such file.

`run` stands twice: of a study that is finished, and of one in which something is left to do: it reads features,
weights and data, or goes on from a step checkpoint after a kill. What nothing needs is not made again: of a finished
study, damaged weights are a notice, and `ablate run --restore-weights` trains them again. A file that a command does
not read leaves it unaffected: only `verify` reads everything.

Trials ran in one process and without Ray, and `sync` talked to a server in memory; for the tracking database `sync` and
`run` wrote to it as they do. A lease that cannot be read is named, and counts as held until it was seen to stand still
for 60 s. Logs of workers are text without a digest: they are shown as they are.

Not tried: a disk that rots, which changes a bit and leaves size and times as they were. Who goes by these (caches of
digests, the kept report, the record of finished trials) does not see it until something reads the file: `ablate verify`
reads everything. Nor what the small study does not have: {not_tried}.

{counts}

"""


class Case(NamedTuple):
    """One damaged file, and what one command made of it."""

    kind: str
    way: str
    column: str
    outcome: Outcome


def read_cases(path: Path) -> Iterator[Case]:
    """Read the cases of a file; nothing where there is none."""
    for line in path.read_text().splitlines() if path.exists() else ():
        yield Case(*json.loads(line))


def append_case(path: Path, case: Case) -> None:
    """Append a case to a file."""
    with path.open("a") as file:
        file.write(f"{json.dumps(case)}\n")


def page(cases: Sequence[Case]) -> str:
    """Write the page of all cases."""
    columns = list(dict.fromkeys(case.column for case in cases))
    kinds = list(dict.fromkeys(case.kind for case in cases))
    counts = Counter(case.outcome for case in cases)
    told = ", ".join(f"{counts[outcome]:,} {outcome}" for outcome in SHORT if counts[outcome] and not is_fault(outcome))
    faults = sum(number for outcome, number in counts.items() if is_fault(outcome))
    lines = [
        _HEAD.format(
            cases=len(cases), not_tried="; ".join(NOT_TRIED.values()), counts=f"In total: {told}; {faults:,} faults."
        ),
        f"| file | {' | '.join(columns)} |\n",
        f"|---|{'---|' * len(columns)}\n",
    ]
    for kind in kinds:
        of_kind = [case for case in cases if case.kind == kind]
        cells = [_cell([case.outcome for case in of_kind if case.column == column]) for column in columns]
        lines.append(f"| {kind} | {' | '.join(cells)} |\n")
    return "".join(lines)


def _cell(outcomes: Sequence[Outcome]) -> str:
    words = [SHORT[outcome] for outcome in outcomes]
    return words[0] if len(set(words)) == 1 else ", ".join(words)
