"""What a study has shown so far, small enough to be shown beside its runs: means of arms, and sentences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.analysis.verdict_sentences import certainty_line, sentence_with_arms, state_text
from orchestrator.reporting.forms import FORMS
from orchestrator.reporting.kept_report import report_of
from orchestrator.reporting.report_model import Cell, Report
from orchestrator.state.ledger import Ledger, read_ledger
from search_spaces.error_text import named_message
from search_spaces.plan import Plan
from search_spaces.study import Study
from trainables.storage.store import Store
from trainables.telemetry.score_metrics import score_metrics


@dataclass(frozen=True)
class ArmSummary:
    """One arm over its seeds."""

    arm: str
    numbers: dict[str, float]
    """`mean`, `mean_low`, `mean_high`; the same for each benchmark by its id; `seeds`, `gpu_seconds`; `order` in the
    plan. Scores and the limits of their 95 % intervals in points. What is not known is not there."""
    has_signal: bool = True
    """False where the arm shows no signal on any benchmark: it is not shown to look at the images."""


@dataclass(frozen=True)
class TrialScores:
    """Scores of one trial on the study's benchmarks and samples, and of its blind run."""

    metrics: dict[str, float]
    """Name on a tracking server -> value."""
    examples: dict[str, Path]
    """Benchmark or samples -> file of the scores per example."""


@dataclass(frozen=True)
class StudySummary:
    """What a study has shown so far."""

    arms: tuple[ArmSummary, ...]
    """Arms with at least one score, in plan order."""
    statements: tuple[str, ...]
    """What the results say, one sentence each; what matters most first."""
    documents: dict[str, str]
    """The report in its forms: name of the file -> text."""
    problems: dict[str, str]
    """Name of a file -> why this form of the report could not be written."""
    scores: dict[str, TrialScores]
    """Finished trial -> its scores."""
    best_trial: str | None
    """Of the first of `best_arms`, the trial with the highest mean over the benchmarks."""

    @property
    def best_arms(self) -> tuple[ArmSummary, ...]:
        """Arms with a mean, highest first; those without a signal come last."""
        known = [arm for arm in self.arms if "mean" in arm.numbers]
        return tuple(sorted(known, key=lambda arm: (not arm.has_signal, -arm.numbers["mean"])))


def summarize(study: Study, plan: Plan, store: Store) -> StudySummary:
    """Summarize what storage holds now. Reads every score of every example: seconds for a large study.

    Args:
        plan: of the study.
        store: where its results lie.
    """
    ledger = read_ledger(plan, store)
    report = report_of(study, plan, store, ledger, "run")
    documents, problems = _documents(report)
    summary = StudySummary(_arms(report), _statements(report), documents, problems, _scores(plan, ledger, store), None)
    if not summary.best_arms:
        return summary
    best = summary.best_arms[0].arm
    scores: dict[str, list[float]] = {}
    for (trial, _), evaluation in ledger.evaluations.items():
        scores.setdefault(trial, []).append(evaluation.points)
    candidates = [entry.id for entry in ledger.trials.values() if entry.arm == best and entry.state == "done"]
    means = {trial: sum(scores[trial]) / len(scores[trial]) for trial in candidates if trial in scores}
    return replace(summary, best_trial=max(means, key=lambda trial: means[trial], default=None))


def _scores(plan: Plan, ledger: Ledger, store: Store) -> dict[str, TrialScores]:
    results_of = {**ledger.evaluations, **ledger.samples, **ledger.blind}
    scores = {}
    for entry in ledger.trials.values():
        results = {
            evaluation_set.name: result
            for evaluation_set in plan.evaluation_sets
            if (result := results_of.get((entry.id, evaluation_set.name))) is not None
        }
        if entry.state == "done" and results:
            own = {name: result for name, result in results.items() if result.images == "own"}
            examples = {name: store.reading(result.examples) for name, result in own.items()}
            metrics = score_metrics(plan.benchmarks, plan.samples, plan.blind.sets, results)
            scores[entry.id] = TrialScores(metrics, examples)
    return scores


def _documents(report: Report) -> tuple[dict[str, str], dict[str, str]]:
    """Write the report in every form. A form that fails is named, and never stops the others."""
    documents, problems = {}, {}
    for form, write in FORMS.items():
        try:
            documents[f"report.{form}"] = write(report)
        except Exception as error:
            problems[f"report.{form}"] = named_message(error)
    return documents, problems


def _arms(report: Report) -> tuple[ArmSummary, ...]:
    costs = {cost.arm: cost.gpu_seconds / cost.trials for cost in report.costs}
    arms = []
    for order, row in enumerate(report.rows):
        numbers = _numbers("mean", row.mean)
        for column, cell in zip(report.columns, row.cells, strict=True):
            numbers |= _numbers(column.benchmark, cell)
        if numbers:
            seeds = max(len(row.seeds) - len(cell.absent) for cell in (row.mean, *row.cells))
            numbers |= {"seeds": float(seeds), "order": float(order)}
            numbers |= {"gpu_seconds": costs[row.arm]} if row.arm in costs else {}
            arms.append(ArmSummary(row.arm, numbers, row.has_signal))
    return tuple(arms)


def _numbers(name: str, cell: Cell) -> dict[str, float]:
    if cell.estimate is None:
        return {}
    interval = cell.estimate.interval
    return {name: cell.estimate.value, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _statements(report: Report) -> tuple[str, ...]:
    """State what has to be known first, the verdicts on the claims, then every arm against the base."""
    verdicts = tuple(
        f"**{state_text(verdict)}**: {verdict.claim}: {sentence_with_arms(verdict)} {certainty_line(verdict)}".strip()
        for verdict in report.verdicts.verdicts
    )
    opening = (report.verdicts.opening,) if report.verdicts.opening else ()
    return (
        opening
        + verdicts
        + tuple(
            f"{axis.axis}: {finding.label}: {finding.sentence}" if axis.axis else f"{finding.label}: {finding.sentence}"
            for axis in report.axes
            for finding in axis.findings
        )
    )
