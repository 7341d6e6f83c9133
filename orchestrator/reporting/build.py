"""Makes the report of a study from storage alone.

It can be made at any time, also while the study runs: what is not there yet is shown as missing. Equal storage gives an
equal report, on any machine; the only time in it is that of looks at results, which storage keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orchestrator.analysis.counted_looks import judge_and_count
from orchestrator.analysis.numeric_axes import numeric_axes
from orchestrator.analysis.plan_knowledge import what_is_known
from orchestrator.analysis.plan_power import plan_power
from orchestrator.analysis.prior_rows import prior_rows
from orchestrator.analysis.study_questions import judge_questions
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.planning.preflight import known_digests
from orchestrator.reporting.cells import row_of
from orchestrator.reporting.disagreements import samples
from orchestrator.reporting.findings import axis_findings
from orchestrator.reporting.open_prompts import read_samples
from orchestrator.reporting.provenance import conditions_of, provenance
from orchestrator.reporting.questions import describe_from_storage, report_questions
from orchestrator.reporting.report_model import (
    AxisCurve,
    AxisFindings,
    AxisPoint,
    Cell,
    Column,
    FailedTrial,
    Report,
    Row,
)
from orchestrator.reporting.training import loss_curves, stage_settings
from orchestrator.reporting.type_scores import type_scores
from orchestrator.reporting.work_and_cost import arm_costs, runs_compared, sharing, stage_tree
from orchestrator.state.failures import read_failures, where
from orchestrator.state.ledger import Ledger, read_ledger
from orchestrator.state.looks import LookCommand
from search_spaces.error_text import first_line
from search_spaces.expansion.axes import axis_labels
from search_spaces.plan import Arm, Plan
from search_spaces.study import Study
from trainables.storage import layout
from trainables.storage.records import Failure
from trainables.storage.store import Store


def build_report(
    study: Study, plan: Plan, store: Store, ledger: Ledger | None = None, command: LookCommand = "report"
) -> Report:
    """Build the report of what storage shows of a study, and count that its hypotheses were looked at.

    Args:
        study: whose report it is.
        plan: of the study.
        store: where its results lie.
        ledger: of the plan, where it was just read, to save reading it again.
        command: that shows the report.
    """
    ledger = ledger or read_ledger(plan, store)
    scored = StudyScores.of(plan, store, ledger)
    conditions = conditions_of(ledger, store)
    arms = _asked_arms(plan)
    axes, n_comparisons = axis_findings(plan, arms, scored, conditions)
    rows = _marked(_best_marked([row_of(arm, scored) for arm in arms]), scored.benchmarks, axes)
    return Report(
        study=plan.study,
        question=plan.question,
        digest=plan.digest,
        n_trials=len(plan.trials),
        seeds=tuple(dict.fromkeys(trial.seed for trial in plan.trials)),
        counts=ledger.counts(),
        diverged=tuple(entry.id for entry in ledger.trials.values() if entry.is_diverged),
        verdicts=judge_and_count(study, plan, ledger, scored, store, command),
        power=plan_power(study, plan, what_is_known(plan, store, ledger, known_digests(store).counts, scored)),
        columns=tuple(_column(plan, i, rows, scored) for i in range(len(plan.benchmarks))),
        rows=rows,
        types=type_scores(plan, arms, store, ledger, scored),
        priors=prior_rows(scored),
        base=plan.base,
        axes=axes,
        curves=_curves(study, plan, arms),
        n_comparisons=n_comparisons,
        training=stage_settings(plan),
        losses=loss_curves(plan, store),
        work=stage_tree(plan, ledger, store),
        sharing=sharing(plan, ledger, store),
        costs=arm_costs(arms, ledger, rows),
        runs=runs_compared(store, plan.study),
        device=scored.device,
        samples=samples(plan, store, ledger, scored),
        open_samples=read_samples(plan, store, ledger),
        questions=report_questions(judge_questions(plan, store, ledger), describe_from_storage(plan, store)),
        failures=_failures(ledger, store),
        tried_again=_tried_again(plan, ledger, store),
        provenance=provenance(study, plan, store, ledger, conditions),
        problems=tuple(scored.problems),
        excluded=tuple((exclusion.arm, exclusion.reason) for exclusion in plan.excluded),
        removed=ledger.removed,
        superseded=_superseded(plan, store),
    )


def _asked_arms(plan: Plan) -> list[Arm]:
    """List the arms that have a trial in the plan (`--limit` may leave some without)."""
    planned = {trial.arm for trial in plan.trials}
    return [arm for arm in plan.arms if arm.name in planned]


def _best_marked(rows: list[Row]) -> tuple[Row, ...]:
    """Mark the highest cell of each column, and of the means. Cells and rows without a signal are passed over."""

    def highest(cells: Sequence[Cell], may_lead: Sequence[bool]) -> list[bool]:
        values = [cell.estimate.value if cell.estimate is not None else None for cell in cells]
        top = max((value for value, may in zip(values, may_lead, strict=True) if value is not None and may), default=0)
        is_table = sum(value is not None for value in values) > 1
        return [
            is_table and may and value is not None and value >= top - 1e-9
            for value, may in zip(values, may_lead, strict=True)
        ]

    columns = [list(column) for column in zip(*(row.cells for row in rows), strict=True)]
    best = [highest(column, [not cell.is_silent for cell in column]) for column in columns]
    best_means = highest([row.mean for row in rows], [row.has_signal for row in rows])
    return tuple(
        replace(
            row,
            cells=tuple(replace(cell, is_best=column[i]) for cell, column in zip(row.cells, best, strict=True)),
            mean=replace(row.mean, is_best=best_means[i]),
        )
        for i, row in enumerate(rows)
    )


def _column(plan: Plan, index: int, rows: Sequence[Row], scored: StudyScores) -> Column:
    estimates = [row.cells[index].estimate for row in rows]
    sizes = {estimate.n_examples for estimate in estimates if estimate is not None}
    benchmark = plan.benchmarks[index]
    n_examples = sizes.pop() if len(sizes) == 1 else None
    return Column(benchmark.id, benchmark.protocol, n_examples, scored.best_reachable.get(benchmark.id))


def _marked(rows: Sequence[Row], benchmarks: Sequence[str], axes: Sequence[AxisFindings]) -> tuple[Row, ...]:
    """Mark the cells that are clearly higher or lower than the base's."""
    clear = {
        (finding.arm, difference.benchmark): difference.effect
        for axis in axes
        for finding in axis.findings
        for difference in (finding.mean, *finding.benchmarks)
        if difference is not None and difference.is_clear
    }

    def marked(cell: Cell, arm: str, benchmark: str | None) -> Cell:
        effect = clear.get((arm, benchmark))
        return cell if effect is None else replace(cell, mark="higher" if effect > 0 else "lower")

    return tuple(
        replace(
            row,
            cells=tuple(marked(cell, row.arm, name) for cell, name in zip(row.cells, benchmarks, strict=True)),
            mean=marked(row.mean, row.arm, None),
        )
        for row in rows
    )


def _curves(study: Study, plan: Plan, arms: Sequence[Arm]) -> tuple[AxisCurve, ...]:
    """Collect the arms that differ from the base in one axis at most, along that axis."""
    base = next((arm for arm in arms if arm.name == plan.base), None)
    if base is None:
        return ()
    numbers = numeric_axes(plan)
    curves = []
    for axis in plan.axes:
        along = [
            arm
            for arm in arms
            if arm.by_axes
            and all(arm.values[other_axis] == base.values[other_axis] for other_axis in plan.axes if other_axis != axis)
        ]
        first = {arm.values[axis]: arm for arm in reversed(along)}
        points = [
            AxisPoint(label, numbers[axis][label] if axis in numbers else None, arm.name, arm is base)
            for label, arm in first.items()
        ]
        order = axis_labels(study, axis)
        points.sort(key=lambda point: (point.number or 0, order.index(point.label) if point.label in order else 999))
        if len(points) > 1:
            curves.append(AxisCurve(axis, tuple(points)))
    return tuple(curves)


def _failures(ledger: Ledger, store: Store) -> tuple[FailedTrial, ...]:
    return tuple(_failed_attempt(entry.failure, store) for entry in ledger.trials.values() if entry.failure is not None)


def _tried_again(plan: Plan, ledger: Ledger, store: Store) -> tuple[FailedTrial, ...]:
    return tuple(
        _failed_attempt(failure, store)
        for entry in ledger.trials.values()
        if entry.failures_before
        for failure in read_failures(store, plan.study, entry.id)[: entry.failures_before]
    )


def _failed_attempt(failure: Failure, store: Store) -> FailedTrial:
    return FailedTrial(
        trial=failure.trial,
        kind=failure.kind,
        message=first_line(failure.message),
        log=store.place(failure.log) if failure.log else "",
        where=where(failure),
        attempt=failure.attempt,
        remedy=failure.remedy,
    )


def _superseded(plan: Plan, store: Store) -> tuple[str, ...]:
    prefix = layout.superseded_trials(plan.study) + "/"
    return tuple(sorted({name.removeprefix(prefix).split("/", 1)[0] for name in store.list(prefix.rstrip("/"))}))
