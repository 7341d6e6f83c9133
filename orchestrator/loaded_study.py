"""A study in the hands of a Python program: what the commands of the same names do, as values instead of text."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console

from orchestrator.analysis.examples import read_answers, verified_examples
from orchestrator.analysis.plan_power import plan_power
from orchestrator.analysis.stored_answers import AnswerFilter, Which
from orchestrator.planning.estimates import Assumptions
from orchestrator.planning.named_study import named_study
from orchestrator.planning.plan_json import plan_json
from orchestrator.planning.planned import PlanOptions, RunOptions, expand, plan
from orchestrator.planning.preflight import known_digests
from orchestrator.planning.text_lengths import MeasuredMixes
from orchestrator.reporting.kept_report import report_of
from orchestrator.reporting.report_model import Report
from orchestrator.reporting.shown_answers import shown_answers, shown_answers_json
from orchestrator.run_study import StudyRun, run_loaded
from orchestrator.settings import chosen_root, data_root, existing_storage, storage_root
from orchestrator.state.ledger import read_ledger
from orchestrator.state.status import StudyStatus, study_status
from search_spaces.errors import InputError, nearest
from search_spaces.plan import Plan
from search_spaces.study import Study
from trainables.storage.store import LocalStore

EXAMPLE_COLUMNS = ("id", "cluster", "prediction", "parsed", "score")
"""Of every example: its id, its image, what the model wrote, what was read of it, and 0 to 1."""


@dataclass(frozen=True)
class Rows:
    """Rows with named columns."""

    table: pa.Table

    def frame(self) -> Any:
        """Return the rows as a pandas DataFrame; pandas must be installed."""
        return self.table.to_pandas()


@dataclass(frozen=True)
class LoadedStudy:
    """A study and the storage that holds its results. Nothing is kept between calls: each looks at storage anew.

    Every method raises `InputError`, a ValueError, for what the command would refuse with exit code 2.
    """

    study: Study
    """As it was written."""
    options: PlanOptions
    """Which trials, on which storage."""
    name: str
    """The study as it was named."""

    def plan(self) -> dict[str, Any]:
        """Return what the study would do and take: what `ablate plan --json` prints, without its version."""
        store = LocalStore(self.options.storage)
        planned, measured = self._planned(store), MeasuredMixes(store, self.options.data)
        power = [hypothesis.as_json() for hypothesis in plan_power(self.study, planned)]
        return {**plan_json(planned, Assumptions(measured=measured)), "power": power}

    def run(
        self,
        *,
        address: str | None = None,
        tracking_uri: str | None = None,
        offline: bool = False,
        only: Sequence[str] = (),
        max_concurrent: int | None = None,
        retry_failed: bool = False,
        console: Console | None = None,
    ) -> StudyRun:
        """Train and evaluate what is left of the study; running it again resumes it. Call it in the main thread.

        Args:
            address: of a running Ray cluster; None for one inside this machine.
            tracking_uri: of the MLflow server; None for the storage's own database.
            offline: talk to no tracking server.
            only: names of arms, axes and values whose trials are run; none for all.
            max_concurrent: most trials at a time; None for as many as fit.
            retry_failed: try failed trials again, also those that failed alike twice.
            console: where progress is shown; None for nowhere.

        Returns:
            What the run came to: `report`, `ledger.counts()`, and `outcomes` of the trials that ran.
        """
        storage_root(self.options.storage)
        options = RunOptions(
            plan=PlanOptions(**{**vars(self.options), "address": address}),
            study=self.name,
            tracking_uri=tracking_uri,
            offline=offline,
            only=tuple(only),
            max_concurrent=max_concurrent,
            retry_failed=retry_failed,
            rehearsals="never" if self.options.toy else "first",
        )
        return run_loaded(self.study, options, console or Console(file=io.StringIO()))

    def status(self) -> StudyStatus:
        """Return the state of every trial, also while the study runs elsewhere."""
        store = self._store()
        return study_status(self._planned(store), store)

    def report(self) -> Report:
        """Return what the study has shown so far. A look at its hypotheses is counted, as by `ablate report`."""
        store = self._store()
        return report_of(self.study, self._planned(store), store)

    def scores(self) -> Rows:
        """Return the scores that are there: a row for each trial and benchmark.

        Returns:
            Columns `arm`, `seed`, `trial`, `benchmark`, `protocol`, `points` (0 to 100), `n` (examples), `unparsable`
            (examples whose answer could not be read).
        """
        store = self._store()
        planned = self._planned(store)
        ledger = read_ledger(planned, store)
        rows = [
            {
                "arm": trial.arm,
                "seed": trial.seed,
                "trial": trial.id,
                "benchmark": benchmark.id,
                "protocol": result.protocol,
                "points": result.points,
                "n": result.n,
                "unparsable": result.unparsable,
            }
            for trial in planned.trials
            for benchmark in planned.benchmarks
            if (result := ledger.evaluations.get((trial.id, benchmark.id))) is not None
        ]
        return Rows(pa.Table.from_pylist(rows, schema=_SCORES))

    def examples(self, benchmark: str) -> Rows:
        """Return every answer to a benchmark: a row for each trial and example.

        Args:
            benchmark: its id.

        Returns:
            Columns `arm`, `seed`, and those of `EXAMPLE_COLUMNS`.
        """
        store = self._store()
        planned = self._planned(store)
        ids = [each.id for each in planned.benchmarks]
        if benchmark not in ids:
            law = f"must be one of {', '.join(ids)}, but got {benchmark!r}"
            raise InputError(law, key="benchmark", way_out=nearest(benchmark, ids))
        ledger, tables = read_ledger(planned, store), list[pa.Table]()
        for trial in planned.trials:
            result = ledger.evaluations.get((trial.id, benchmark))
            if result is None:
                continue
            answers = read_answers(verified_examples(store, result), EXAMPLE_COLUMNS)
            arms, seeds = pa.array([trial.arm] * len(answers)), pa.array([trial.seed] * len(answers), pa.int64())
            tables.append(answers.add_column(0, "seed", seeds).add_column(0, "arm", arms))
        return Rows(pa.concat_tables(tables, promote_options="permissive") if tables else _EXAMPLES.empty_table())

    def answers(
        self,
        *,
        which: Which = "all",
        arms: Sequence[str] = (),
        benchmarks: Sequence[str] = (),
        limit: int = 20,
    ) -> dict[str, Any]:
        """Return questions with their right answers and what every trial answered: what `ablate answers --json` prints.

        Args:
            which: all; wrong, those that score below a half; differ, those on which arms differ, by most first.
            arms: names; none for all.
            benchmarks: ids; none for all.
            limit: of each benchmark, so many questions at most.
        """
        store = self._store()
        planned, wanted = self._planned(store), AnswerFilter(which, tuple(arms), tuple(benchmarks))
        shown = shown_answers(planned, store, wanted, limit=limit, data_root=self.options.data)
        return shown_answers_json(planned, wanted, shown)

    def _planned(self, store: LocalStore) -> Plan:
        """Plan the study with what storage knows of data and weights by now."""
        return plan(expand(self.study, self.options), self.options, known_digests(store))

    def _store(self) -> LocalStore:
        """Open the storage, which must be there."""
        return LocalStore(existing_storage(self.options.storage))


_SCORES = pa.schema(
    {
        "arm": pa.string(),
        "seed": pa.int64(),
        "trial": pa.string(),
        "benchmark": pa.string(),
        "protocol": pa.string(),
        "points": pa.float64(),
        "n": pa.int64(),
        "unparsable": pa.int64(),
    }
)
_EXAMPLES = pa.schema(
    {
        "arm": pa.string(),
        "seed": pa.int64(),
        "id": pa.string(),
        "cluster": pa.string(),
        "prediction": pa.string(),
        "parsed": pa.string(),
        "score": pa.float64(),
    }
)


def load(
    name: str | Path,
    *,
    storage: str | Path | None = None,
    data: str | Path | None = None,
    overrides: Sequence[str] = (),
    limit: int | None = None,
    toy: bool = False,
) -> LoadedStudy:
    """Load a study. Nothing but its file is read.

    Args:
        name: a study file or its folder, a shipped study, or a name on storage: the study as it ran last.
        storage: root of the storage; None for ABLATE_STORAGE, else ~/.ablate.
        data: folder in which relative paths of sources and weights start; None for ABLATE_DATA, else the storage's own.
        overrides: `KEY=VALUE` pairs laid over the file, as `--set` takes them.
        limit: keep the first so many trials, in plan order.
        toy: the study with every model tiny and all data generated.

    Raises:
        InputError: a ValueError that names everything that is wrong with the study, by line.
    """
    if limit is not None and limit < 1:
        raise InputError(f"must be 1 or more, but got {limit}", key="limit")
    root = chosen_root(None if storage is None else Path(storage))
    folder = data_root(None if data is None else Path(data), root)
    options = PlanOptions(storage=root, data=folder, overrides=tuple(overrides), limit=limit, toy=toy)
    return LoadedStudy(named_study(str(name), root, options.overrides), options, str(name))
