"""Find the results of evaluations on storage, and read each when it is first needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from orchestrator.state.stored_nodes import StoredNodes
from orchestrator.state.trial_records import TrialRecords
from search_spaces.identity import Memo, needed_digests, source_name
from search_spaces.plan import Plan, PlannedTrial
from search_spaces.spec import BenchmarkSpec
from trainables.storage import layout
from trainables.storage.damages import absent
from trainables.storage.record_files import read
from trainables.storage.records import EvaluationResult, StageResult, TrialResult
from trainables.storage.store import Store


class StoredEvaluations(Mapping[tuple[str, str], EvaluationResult]):
    """Results of evaluations by trial and name of what was asked, in the order in which they were added.

    A result that nobody has read yet is read when it is asked for: whoever only counts opens no file.

    Args:
        store: the storage.
    """

    def __init__(self, store: Store):
        self._store = store
        self._results: dict[tuple[str, str], EvaluationResult | str] = {}

    def add(self, trial: str, asked: Mapping[str, str], results: Mapping[str, EvaluationResult | str]) -> None:
        """Add results of a trial, as far as there are.

        Args:
            trial: id.
            asked: name that a result gets here -> that of the evaluation set.
            results: evaluation set -> result, or the name of its file, which must be there and whole.
        """
        self._results |= {(trial, own): results[name] for own, name in asked.items() if name in results}

    def files(self, trial: str, name: str) -> tuple[str, str]:
        """Name the file of a result and that of its scores per example, without reading either.

        Args:
            trial: id.
            name: of what was asked, as the evaluation set is called.
        """
        result = self._results[trial, name]
        file = result if isinstance(result, str) else layout.evaluation_result(result.key, name)
        key, benchmark = file.split("/")[1:]
        return file, layout.evaluation_examples(key, benchmark.removesuffix(".json"))

    def __getitem__(self, key: tuple[str, str]) -> EvaluationResult:
        """Return a result. Raises InputError if its file has been damaged since it was found whole."""
        result = self._results[key]
        if isinstance(result, str):
            loaded = read(self._store, result, EvaluationResult)
            if loaded is None:
                raise absent(self._store, result).error()
            self._results[key] = result = loaded
        return result

    def __contains__(self, key: object) -> bool:
        return key in self._results

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        return repr(dict(self))


def read_evaluations(
    plan: Plan,
    trial: PlannedTrial,
    result: TrialResult | None,
    nodes: StoredNodes,
    records: TrialRecords,
    memo: Memo,
) -> dict[str, EvaluationResult]:
    """Read the results of the plan's evaluation sets that are on storage, by their names.

    They are found by their keys, whatever the trial was scored on last: scores on other data, by another protocol or of
    another selection answer another question and do not count, and those of an earlier version of the study do again.
    Where the plan does not know the key, what the trial's result names is read.

    Args:
        plan: of the study.
        trial: of the plan.
        result: of the trial, with the plan's stage keys; None where it has none.
        nodes: of the plan, as storage holds them.
        records: reads them.
        memo: keeps what the keys of other trials need again.
    """
    evaluations = {}
    stages = [nodes.stages[node.id] for node in trial.stage_nodes(plan) if node.id in nodes.stages]
    if result is None and len(stages) < len(trial.spec.stages):
        return {}
    planned = _planned_evaluations(plan, trial, stages, memo)
    for benchmark in plan.evaluation_sets:
        name = planned.get(benchmark.name) or (result.evaluations.get(benchmark.name) if result is not None else None)
        evaluation = records.evaluation(name) if name else None
        if evaluation is not None and plan.benchmark_keys.get(benchmark.name) in (None, evaluation.asked):
            evaluations[benchmark.name] = evaluation
    return evaluations


def _planned_evaluations(plan: Plan, trial: PlannedTrial, stages: Sequence[StageResult], memo: Memo) -> dict[str, str]:
    """Name the results of evaluations by their keys, as far as the plan knows all that these are made of."""
    needed = needed_digests(trial.spec, len(trial.spec.stages) - 1, memo)
    if len(stages) < len(trial.spec.stages) or not all(name in plan.digests for name in needed):
        return {}
    known = [benchmark for benchmark in plan.evaluation_sets if _source(benchmark, memo) in plan.digests]
    from trainables.evaluation.results import evaluation_keys  # Arrow, which a look at finished trials does not need

    keys = evaluation_keys(trial.spec, plan.digests, known, stages, memo)
    return {name: layout.evaluation_result(key, name) for name, key in keys.items()}


def _source(benchmark: BenchmarkSpec, memo: Memo) -> str:
    return memo.of("source", (benchmark,), lambda: source_name(benchmark.source))
