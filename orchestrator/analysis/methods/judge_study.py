"""Verdicts on a study's hypotheses, from the scores per example that storage holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.analysis.aggregates import Aggregates, aggregated, groups_of, reference_pool
from orchestrator.analysis.blind_effects import beside_blind
from orchestrator.analysis.chosen_questions import chosen_sentences
from orchestrator.analysis.factors import Row, factors
from orchestrator.analysis.look_history import History
from orchestrator.analysis.methods.contract import Question, StudyResults
from orchestrator.analysis.methods.registry import STUDY_METHODS, StudyMethodName
from orchestrator.analysis.signal_sentences import opening_sentence
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.analysis.verdict_model import Verdicts
from orchestrator.analysis.what_varies import what_varies
from search_spaces.catalogue.load import shipped
from search_spaces.claims import select_benchmarks
from search_spaces.plan import Plan
from search_spaces.study import Study


def judge_study(
    study: Study,
    plan: Plan,
    scored: StudyScores,
    method: StudyMethodName = "study",
    histories: Mapping[str, History] | None = None,
) -> Verdicts:
    """Judge all hypotheses of the study together. What cannot be compared is refused, with the reason.

    Args:
        study: whose hypotheses are judged.
        plan: of the study.
        scored: its scores, read from storage.
        method: by which they are judged.
        histories: id of a hypothesis -> earlier looks at its results (`counted_looks`).
    """
    suites = {**shipped().suites, **study.suites}
    chosen = STUDY_METHODS[method]
    everything = [name for name in scored.benchmarks if name not in chosen.outside_all]
    questions = [
        Question(hypothesis, select_benchmarks(hypothesis.on, scored.benchmarks, suites, everything))
        for hypothesis in study.hypotheses
    ]
    judged = chosen.judge(StudyResults(scored, study.seed_sd, histories=histories or {}), questions)
    verdicts = beside_blind(judged.verdicts, scored.blind, study.seed_sd)
    aggregates = _aggregates(plan, scored, groups_of(suites))
    return Verdicts(
        plan.study,
        chosen.name,
        chosen.level,
        verdicts,
        (*judged.notes, f"{what_varies(plan)}.", *chosen_sentences(plan)),
        aggregates,
        scored.blind.table(scored.benchmarks),
        opening_sentence(scored),
    )


def _aggregates(plan: Plan, scored: StudyScores, groups: Mapping[str, Sequence[str]]) -> Aggregates:
    """Aggregate the arms that have scores of all benchmarks with every seed that was planned, and fit the axes."""
    means: dict[str, dict[str, float]] = {}
    rows: list[Row] = []
    planned_seeds = plan.seeds_by_arm()
    for arm in plan.arms:
        by_seed = _complete_scores(scored, arm.name, planned_seeds.get(arm.name, ()))
        if by_seed:
            columns = zip(*by_seed.values(), strict=True)
            means[arm.name] = {
                name: sum(column) / len(column) for name, column in zip(scored.benchmarks, columns, strict=True)
            }
            if arm.by_axes:  # of another arm, a part of the effect is of what no axis says
                rows += [(arm.values, seed, sum(values) / len(values)) for seed, values in by_seed.items()]
    pool = reference_pool(f"arms of {plan.study}", scored.benchmarks, means)
    base = next((arm.values for arm in plan.arms if arm.name == plan.base), None)
    return replace(aggregated(means, pool, groups), factors=factors(rows, base) if base and rows else None)


def _complete_scores(scored: StudyScores, arm: str, seeds: Sequence[int]) -> dict[int, list[float]]:
    """Map the seeds of an arm to its scores by benchmark; empty unless there are some and every seed has all."""
    table = {seed: [scored.scores.cell(arm, seed, name) for name in scored.benchmarks] for seed in seeds}
    if not scored.benchmarks or not all(all(row) for row in table.values()):
        return {}
    return {seed: [cell.mean for cell in row if cell] for seed, row in table.items()}
