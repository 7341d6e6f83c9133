"""What would decide an open hypothesis of a study, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.analysis.effects import Effect
from orchestrator.analysis.pairs import pair_weights
from orchestrator.analysis.power import DEFAULT_SEED_SD, Design, price
from orchestrator.analysis.rule import statement_of
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.analysis.verdict_model import Price
from search_spaces.study import Hypothesis


def price_of_decision(hypothesis: Hypothesis, effect: Effect, scored: StudyScores, n_judged: int) -> Price:
    """Estimate what would decide a hypothesis, from the variances that were seen and what its trials have cost.

    Args:
        effect: that was measured, in points.
        scored: scores and trials, with what these have cost.
        n_judged: hypotheses that are judged together.
    """
    estimate = effect.estimate
    n = len(estimate.seeds)
    weights = pair_weights(hypothesis.pairs)
    is_unknown = estimate.interval.seeds == "none"
    default = DEFAULT_SEED_SD[1] ** 2 * sum(weight**2 for weight in weights.values())
    design = Design(
        n_seeds=n,
        df_pooled=effect.df_pooled if n > 1 else 0,
        seed_variance=default if is_unknown else estimate.interval.seed_part * n,
        image_variance=estimate.interval.image_part,
        n_hypotheses=n_judged,
        is_seed_sd_assumed=estimate.interval.seeds == "assumed",
    )
    return price(
        estimate.value,
        statement_of(hypothesis.expect),
        hypothesis.margin,
        design,
        seed_sd=DEFAULT_SEED_SD[1] if is_unknown else None,
        n_examples=estimate.n_examples,
        n_arms=len(weights),
        gpu_hours_per_seed=_gpu_hours_per_seed(weights, scored),
        scoring_gpu_hours=sum(
            scored.scoring_seconds.get((arm, seed, name), 0.0)
            for arm in weights
            for seed in estimate.seeds
            for name in estimate.benchmarks
        )
        / 3600,
    )


def _gpu_hours_per_seed(arms: Mapping[str, float], scored: StudyScores) -> float | None:
    """Estimate the GPU-hours of one more seed of each of these arms, stages that they share counted for each."""
    seconds = 0.0
    for arm in arms:
        results = [entry.result for entry in scored.trials.get(arm, ())]
        costs = [result.cost.gpu_seconds_alone for result in results if result is not None]
        if not costs:
            return None
        seconds += sum(costs) / len(costs)
    return seconds / 3600
