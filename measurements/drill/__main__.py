"""Run the drill: ``python -m measurements.drill --kills 1000 --runs 36``, or ``make drill``. The same command goes on.

A thousand cases in worker processes and 36 whole runs take a night on 2 cores. Outcomes are appended to
`outcomes.jsonl` in the folder of `--out`; storages of cases that ended differently are kept beside it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from measurements.drill.outcome import OUTCOMES, read_outcomes
from measurements.drill.run_cases import VICTIMS
from measurements.drill.run_drill import drill_runs
from measurements.drill.table import table
from measurements.drill.worker_drill import drill_workers
from search_spaces.errors import InputError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=1000, help="cases in worker processes")
    parser.add_argument("--runs", type=int, default=36, help="cases in whole runs, on Ray")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn")
    parser.add_argument("--jobs", type=int, default=1, help="cases in worker processes at a time")
    parser.add_argument(
        "--shapes", default="1w-zero0,1w-zero2,2w-zero0,2w-zero2", help="of the first command of each case, in turns"
    )
    parser.add_argument("--victims", nargs="+", choices=VICTIMS, default=VICTIMS, help="of whole runs, in turns")
    parser.add_argument("--out", type=Path, default=Path("drill"), help="folder of outcomes and storages")
    arguments = parser.parse_args()
    folder: Path = arguments.out.resolve()
    try:
        drill_workers(folder, arguments.kills, arguments.seed, arguments.shapes.split(","), jobs=arguments.jobs)
        if arguments.runs:
            drill_runs(folder, arguments.runs, arguments.seed, victims=arguments.victims)
    except InputError as error:
        sys.exit(f"drill: {error}")
    outcomes = list(read_outcomes(folder / OUTCOMES))
    print(table(outcomes))
    sys.exit(any(outcome.differences for outcome in outcomes))


if __name__ == "__main__":
    main()
