"""Expand a study into its plan: trials, and the graph of work in which equal work is one node."""

from __future__ import annotations

from collections.abc import Mapping

from search_spaces.expansion.checks import CheckedArm, CheckedStudy, check_study
from search_spaces.expansion.graph import FeaturesChoice, Graph
from search_spaces.expansion.patches import difference
from search_spaces.expansion.resolve_language import FactsOf
from search_spaces.expansion.resolve_vision import EncoderProbe
from search_spaces.expansion.toy import toy_arms, toy_resources
from search_spaces.expansion.toy_data import toy_benchmarks, toy_samples
from search_spaces.identity import (
    Memo,
    arm_fingerprint,
    benchmark_key,
    fingerprint,
)
from search_spaces.plan import Arm, Plan
from search_spaces.sizes import model_size
from search_spaces.steps import RealisedCounts
from search_spaces.study import Study

FEATURES_BUDGET_BYTES = 20_000_000_000
"""Default of `--features-budget`."""


def plan_study(
    study: Study,
    *,
    digests: Mapping[str, str] | None = None,
    counts: RealisedCounts | None = None,
    limit: int | None = None,
    features_budget_bytes: int = FEATURES_BUDGET_BYTES,
    features: FeaturesChoice = "auto",
    toy: bool = False,
    toy_workers: int | None = None,
    probe: EncoderProbe | None = None,
    language_facts: FactsOf = lambda origin: None,
) -> Plan:
    """Plan everything that a study needs, before anything is done.

    Args:
        study: what a user wrote.
        digests: content digests by `identity.weights_name` and `identity.source_name`; keys need them.
        counts: realised counts of prepared sources by `identity.source_name`, in the place of declared ones.
        limit: keep the first so many trials in plan order.
        features_budget_bytes: of `features="auto"`: frozen encoders are cached, in plan order, while they fit.
        features: whether the features of frozen encoders are cached.
        toy: every model tiny, all data generated, few steps; the plan's study is then named ``<study>-toy``.
        toy_workers: most workers of a toy trial, where it is to run on a small machine; None for as many as asked.
        probe: finds out the facts of encoders that are neither in the catalogue nor the study's own.
        language_facts: what the configurations of checkpoints on this machine say.

    Raises:
        InputError: all that is wrong with the study's names, values and sizes, together.
    """
    realised: RealisedCounts = counts or {}
    memo = Memo()
    checked = check_study(study, realised, memo, probe, language_facts)
    arms, benchmarks, samples, notes = checked.arms, checked.benchmarks, checked.samples, list(checked.notes)
    if toy:
        tiny = toy_arms([arm.resolved for arm in arms], [arm.resources for arm in arms])
        arms = tuple(
            CheckedArm(arm.draft, resolved, toy_resources(arm.resources, toy_workers))
            for arm, resolved in zip(arms, tiny, strict=True)
        )
        benchmarks, samples = toy_benchmarks(benchmarks), toy_samples(samples)
        notes = ["toy: tiny models, generated data, few steps; its scores mean nothing"]
    graph = Graph(digests or {}, realised, (*benchmarks, *samples), features, features_budget_bytes, memo)
    trials = [trial for arm in arms for trial in graph.add(arm, study.seeds_of(arm.draft.name))]
    kept = trials[:limit]
    names = {trial.arm for trial in kept}
    return Plan(
        study=f"{study.study}-toy" if toy else study.study,
        question=study.question,
        digest=fingerprint(
            {
                "study": {key: value for key, value in study.document.value.items() if key != "extends"},
                "trials": [trial.id for trial in trials],
            }
        ),
        arms=tuple(_arm(arm, checked, memo) for arm in arms if arm.draft.name in names),
        trials=tuple(kept),
        nodes=graph.nodes(kept),
        benchmarks=benchmarks,
        axes=tuple(study.axes),
        base=next((arm.draft.name for arm in arms if not arm.draft.patch and arm.draft.name in names), None),
        samples=samples,
        benchmark_keys={benchmark.id: benchmark_key(benchmark, digests or {}) for benchmark in (*benchmarks, *samples)},
        excluded=checked.excluded,
        notes=(*notes, *graph.notes),
    )


def _arm(arm: CheckedArm, checked: CheckedStudy, memo: Memo) -> Arm:
    return Arm(
        id=arm_fingerprint(arm.resolved.template, memo)[:12],
        name=arm.draft.name,
        difference=difference(checked.base, arm.draft.patch),
        values=arm.draft.values,
        resources=arm.resources.arm,
        note=arm.draft.note,
        stage_resources=arm.resources.stages,
        size=model_size(arm.resolved.template, checked.sizes),
    )
