"""Bring results of evaluation harnesses into a folder of items: one Parquet file for each arm, seed and benchmark."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from orchestrator.items.check import checked_items
from orchestrator.items.files import read_items
from orchestrator.items.harnesses.contract import Choices, Harness, Run
from orchestrator.items.table import SCHEMA, ItemTable, RowSource
from search_spaces.errors import InputError, Problems
from search_spaces.quantities import number_of

_COLUMNS = SCHEMA.remove_metadata()


@dataclass(frozen=True)
class ImportedRun:
    """One run in the folder of items."""

    run: Run
    file: Path
    was_there: bool
    """Whether the file held the very same rows before."""

    @property
    def points(self) -> float:
        """Mean score, in points."""
        return 100 * sum(question.score for question in self.run.questions) / len(self.run.questions)

    @property
    def n_images(self) -> int | None:
        """Number of images; None where the files do not name them."""
        if self.run.cluster is None:
            return None
        return len({question.cluster or question.id for question in self.run.questions})


def import_runs(
    paths: Sequence[Path], harness: Harness, arm: str, seed: int, choices: Choices, out: Path, *, force: bool = False
) -> tuple[ImportedRun, ...]:
    """Read the results of one arm with one seed, check them with all items of the folder, and write them there.

    Args:
        paths: files of the harness, and folders of them.
        harness: that wrote them.
        arm: what the model is called in hypotheses.
        seed: of its training, or of its decoding: seeds are replicates.
        choices: what the files do not say themselves.
        out: the folder; it is made where it is not there.
        force: whether files with other rows are written over.

    Raises:
        InputError: everything that is wrong with the files, also with what is in the folder already: questions that
            other arms lack, references and images that differ. Nothing is written then.
    """
    for key, name in (("--arm", arm), ("--benchmark", choices.benchmark)):
        if name is not None and (name != name.strip() or not name.isprintable() or not name):
            law = f"must be text without blanks at its ends and without unseen signs, but got {name!r}"
            raise InputError(law, key=key)
    runs = _read(_files(paths, harness), harness, choices)
    files = {run.benchmark: out / _file_name(arm, seed, run.benchmark) for run in runs}
    tables = {run.benchmark: _table(arm, seed, run) for run in runs}
    there = {benchmark: _is_there(file, tables[benchmark]) for benchmark, file in files.items()}
    if not force:
        others = [str(file) for benchmark, file in files.items() if file.exists() and not there[benchmark]]
        if others:
            law = f"must be new, or have the same rows, but {', '.join(others)} holds others"
            raise InputError(law, key="--out", way_out="`--force` writes over it; another seed is another run.")
    _check_together(runs, tables, _other_files(out, tuple(files.values())), out)
    for benchmark, file in files.items():
        if not there[benchmark]:
            _write(tables[benchmark], file)
    return tuple(ImportedRun(run, files[run.benchmark], there[run.benchmark]) for run in runs)


def _files(paths: Sequence[Path], harness: Harness) -> list[Path]:
    files: dict[Path, None] = {}
    for path in paths:
        if not path.is_dir():
            files[path] = None
            continue
        inside = sorted(file for file in path.rglob("*") if file.is_file() and harness.is_result(file))
        if not inside:
            law = f"a folder must hold results per question as {harness.name} calls them, but has none"
            raise InputError(law, place=str(path), way_out="Give the files themselves.")
        files.update(dict.fromkeys(inside))
    return list(files)


def _read(files: Sequence[Path], harness: Harness, choices: Choices) -> list[Run]:
    if choices.benchmark is not None and len(files) > 1:
        law = f"must come with one file, but there are {len(files)}"
        raise InputError(law, key="--benchmark")
    problems = Problems()
    runs: dict[str, Run] = {}
    for file in files:
        with problems.collected():
            for run in harness.read(file, choices):
                before = runs.setdefault(run.benchmark, run)
                if before is not run:
                    law = f"a benchmark must come from one file, but {run.benchmark} is in {before.source}, too"
                    way_out = "One run is one file: give another one another --seed, or leave it out."
                    raise InputError(law, place=str(file), way_out=way_out)
    problems.raise_all()
    return list(runs.values())


def _file_name(arm: str, seed: int, benchmark: str) -> str:
    """Name the file of a run; signs that file systems do not take are written as %XX."""
    return f"{quote(arm, safe=' =+,()')}.seed{seed}.{quote(benchmark, safe=' =+,()')}.parquet"


def _table(arm: str, seed: int, run: Run) -> pa.Table:
    n = len(run.questions)
    columns = {
        "arm": [arm] * n,
        "seed": [seed] * n,
        "benchmark": [run.benchmark] * n,
        "id": [question.id for question in run.questions],
        "score": [question.score for question in run.questions],
        "cluster": [question.cluster for question in run.questions],
        "prediction": [question.prediction for question in run.questions],
        "reference": [question.reference for question in run.questions],
    }
    return pa.table(columns, schema=_COLUMNS)


def _is_there(file: Path, table: pa.Table) -> bool:
    return file.exists() and bool(pq.read_table(file).equals(table))


def _other_files(out: Path, ours: Sequence[Path]) -> list[Path]:
    written = set(ours)
    return [file for file in sorted(out.rglob("*.parquet")) if file not in written] if out.is_dir() else []


def _check_together(runs: Sequence[Run], tables: dict[str, pa.Table], others: Sequence[Path], out: Path) -> None:
    """Check the new rows with those of the folder, as `verdicts --items` will, and their references."""
    parts = [tables[run.benchmark] for run in runs]
    sources = [RowSource(str(run.source), len(run.questions), places=_places(run)) for run in runs]
    if others:
        read = read_items(others)
        parts.append(read.table)
        sources += read.sources
    try:
        checked_items(ItemTable(pa.concat_tables(parts), tuple(sources)), same_references=True)
    except InputError as error:
        if not others:
            raise
        law = f"{number_of(len(others), 'file')} of items in it and these results do not go together"
        raise InputError(
            f"{law}:\n\n{error}", place=str(out), way_out="\nResults of another kind go into another folder: `--out`."
        ) from error


def _places(run: Run) -> tuple[str, ...]:
    return tuple(question.place for question in run.questions)


def _write(table: pa.Table, file: Path) -> None:
    """Write a file aside, and give it its name when it is whole."""
    content = io.BytesIO()
    pq.write_table(table, content)
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    aside.write_bytes(content.getvalue())
    os.replace(aside, file)
