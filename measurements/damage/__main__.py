"""Damage every kind of file in every way, run every command, and write the table: `python -m measurements.damage`.

It takes about a second per case, of which there are more than a thousand.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from measurements.damage.commands import run_command
from measurements.damage.kinds import DAMAGES, KINDS, files, kind_of
from measurements.damage.outcomes import Reference, is_fault, judge
from measurements.damage.table import Case, page
from orchestrator.exit_codes import EXIT_DONE
from trainables.storage.store import LocalStore

PAGE = Path(__file__).parents[2] / "docs" / "damaged-files.md"
READERS = ("plan", "status", "report", "verdicts", "questions", "sync", "export")


def finished_storage(folder: Path) -> Path:
    """Make a storage with every kind of file, of a study that is done, looked at and sent to a server."""
    storage = folder / "storage"
    storage.mkdir(parents=True)
    for command in ("run", "verdicts", "sync", "status"):
        said = run_command(command, storage)
        if said.code != EXIT_DONE:
            raise RuntimeError(f"{command} must do its work on a new storage, but: {said.text}")
    return storage


def unanswer(storage: Path) -> None:
    """Leave a study half done: one arm is to be asked again, which reads features, weights and prepared data."""
    store = LocalStore(storage)
    results = [name for name in store.list("studies") if kind_of(name) == "result of a trial"]
    store.remove(results[-1])
    shapes = [name for name in store.list("evaluations") if name.endswith(("/yes-no.json", "/yes-no.parquet"))]
    for name in shapes:
        store.remove(name)


def references(folder: Path) -> dict[str, Reference]:
    """Make the undisturbed storages, by the column of the table, and run the commands of each on it.

    Args:
        folder: for the storages.
    """
    finished = finished_storage(folder / "finished")
    half = finished_storage(folder / "half-done")
    unanswer(half)
    return {
        **dict.fromkeys(READERS, Reference.of(finished, READERS, folder)),
        "run, finished": Reference.of(finished, ("run",), folder),
        "run, half done": Reference.of(half, ("run",), folder),
    }


def main(arguments: list[str]) -> int:
    """Write the page; the exit code is that of a fault if a case is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--columns", nargs="*")
    parser.add_argument("--output", type=Path, default=PAGE)
    parser.add_argument("--log", type=Path, help="file to which all that is said in a fault is appended")
    options = parser.parse_args(arguments)
    cases: list[Case] = []
    with tempfile.TemporaryDirectory() as scratch:
        storages = references(Path(scratch))
        for kind in options.kinds:
            for column in options.columns or storages:
                reference = storages[column]
                if kind not in map(kind_of, files(reference.storage)):
                    continue
                for way in DAMAGES:
                    outcome, said = judge(reference, column.partition(",")[0], kind, way, Path(scratch))
                    cases.append(Case(kind, way, column, outcome))
                    print(kind, "|", way, "|", column, "|", outcome, flush=True)
                    if is_fault(outcome) and options.log is not None:
                        with options.log.open("a") as log:
                            log.write(f"=== {kind} | {way} | {column} | {outcome}\n{said}\n")
    options.output.write_text(page(cases))
    return sum(is_fault(case.outcome) for case in cases) and 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
