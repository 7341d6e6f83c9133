"""Estimate what would decide an open hypothesis of a study, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

from orchestrator.analysis.assurance import Claim, Seen, with_more_examples, with_more_seeds
from orchestrator.analysis.effects import Effect, Estimate
from orchestrator.analysis.intervals import SeedSource
from orchestrator.analysis.pairs import pair_weights, sum_of_squares
from orchestrator.analysis.power import DEFAULT_SEED_SD, MOST_SEEDS, Design, fewest
from orchestrator.analysis.rule import statement_of
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.analysis.verdict_model import Price, PriceLimit
from search_spaces.quantities import Device
from search_spaces.study import Expectation, Hypothesis

EVEN, SURE = 0.5, 0.75
"""Assurance at the lower and at the upper end of a range. With .75 about four in five of simulated studies are decided
(`python -m measurements.decision_price`): what `assurance` takes for unknown is a little more than there is to know."""
MOST_TIMES_EXAMPLES = 100


@dataclass(frozen=True)
class Costs:
    """What more of anything costs, as far as the study's trials tell."""

    n_examples: int
    """On the benchmarks together."""
    gpu_hours_per_seed: float | None = None
    """Of one more seed of each arm of the hypothesis."""
    scoring_gpu_hours: float | None = None
    """Of scoring their trials once on all examples there are."""
    device: Device = "GPU"
    """What these hours are of."""


def price_of_decision(
    hypothesis: Hypothesis, effect: Effect, scored: StudyScores, n_hypotheses: int, look_share: float = 1.0
) -> Price:
    """Estimate what would decide a hypothesis, from the variances that were seen and what its trials have cost.

    Args:
        hypothesis: that is open.
        effect: that was measured, in points.
        scored: scores and trials, with what these have cost.
        n_hypotheses: declared together.
        look_share: share of alpha that the look at what is added may use.
    """
    estimate = effect.estimate
    weights = pair_weights(hypothesis.pairs)
    seconds = (
        scored.scoring_seconds.get((arm, seed, name), 0.0)
        for arm in weights
        for seed in estimate.seeds
        for name in estimate.benchmarks
    )
    costs = Costs(estimate.n_examples, _gpu_hours_per_seed(weights, scored), sum(seconds) / 3600 or None, scored.device)
    assumed = assumed_variance(effect, weights)
    seen = seen_effect(effect, assumed, n_hypotheses)
    seen = replace(seen, design=replace(seen.design, look_share=look_share))
    return price(seen, hypothesis.expect, hypothesis.margin, costs, DEFAULT_SEED_SD[1] if assumed is not None else None)


def assumed_variance(effect: Effect, weights: Mapping[str, float]) -> float | None:
    """Assume the variance of an effect over seeds, for one seed, where the study shows none; None where it does.

    Args:
        effect: that was measured.
        weights: of its arms.
    """
    return DEFAULT_SEED_SD[1] ** 2 * sum_of_squares(weights) if effect.estimate.interval.seeds == "none" else None


def seen_effect(effect: Effect, assumed_variance: float | None, n_hypotheses: int) -> Seen:
    """Collect what is known of an effect and its spread.

    Args:
        effect: that was measured.
        assumed_variance: of the effect over seeds, for one seed, where the study shows none.
        n_hypotheses: declared together.
    """
    estimate = effect.estimate
    n = len(estimate.seeds)
    own, pooled = (_variance(estimate, source) for source in ("own", "pooled"))
    spread = next(known for known in (assumed_variance, pooled, own, estimate.interval.seed_part) if known is not None)
    design = Design(
        n_seeds=n,
        df_pooled=effect.df_pooled if n > 1 else 0,
        seed_variance=spread,
        image_variance=estimate.interval.image_part,
        n_hypotheses=n_hypotheses,
        is_seed_sd_assumed=estimate.interval.seeds == "assumed",
    )
    return Seen(estimate.value, own, design)


def price(
    seen: Seen, expect: Expectation, margin: float | None, costs: Costs, assumed_seed_sd: float | None = None
) -> Price:
    """Estimate how many more seeds, or more examples, decide with even odds and with four in five.

    Args:
        seen: the effect so far.
        expect: of the hypothesis.
        margin: of the hypothesis, in points.
        costs: of more seeds and examples.
        assumed_seed_sd: what `seen` assumes of the spread over seeds, where there is one seed; only reported.
    """
    claim = Claim(statement_of(expect), margin)
    by_seeds = cache(lambda more: with_more_seeds(seen, claim, more))
    by_examples = cache(lambda times: with_more_examples(seen, claim, times))
    even_seeds, seeds = _range(by_seeds, MOST_SEEDS)
    even_times, times = _range(by_examples, MOST_TIMES_EXAMPLES) if seen.design.tests_recipe else (None, None)
    return Price(
        more_seeds=seeds,
        seeds_gpu_hours=_times(seeds, costs.gpu_hours_per_seed),
        more_examples=times * costs.n_examples if times is not None else None,
        examples_gpu_hours=_times(times, costs.scoring_gpu_hours),
        assumed_seed_sd=assumed_seed_sd,
        even_seeds=even_seeds,
        even_seeds_gpu_hours=_times(even_seeds, costs.gpu_hours_per_seed),
        even_examples=even_times * costs.n_examples if even_times is not None else None,
        even_examples_gpu_hours=_times(even_times, costs.scoring_gpu_hours),
        expect=expect,
        margin=margin,
        most_seeds_assurance=by_seeds(MOST_SEEDS),
        limit=_limit(seen, claim) if seeds is None else None,
        device=costs.device,
    )


def _range(assurance: Callable[[int], float], most: int) -> tuple[int | None, int | None]:
    """Find the smallest numbers with even odds, and with four in five."""
    return fewest(lambda n: assurance(n) >= EVEN, most), fewest(lambda n: assurance(n) >= SURE, most)


def _limit(seen: Seen, claim: Claim) -> PriceLimit:
    """Say why no number of seeds will do: the images, if with images without number seeds would."""
    without_images = replace(seen, design=replace(seen.design, image_variance=0.0))
    return "images" if with_more_seeds(without_images, claim, MOST_SEEDS) >= SURE else "effect"


def _times(number: int | None, gpu_hours: float | None) -> float | None:
    return number * gpu_hours if number is not None and gpu_hours is not None else None


def _variance(estimate: Estimate, source: SeedSource) -> float | None:
    """Find the effect's variance over seeds, for one seed, as this source has it."""
    for interval in (estimate.interval, estimate.beside):
        if interval is not None and interval.seeds == source:
            return interval.seed_part * len(estimate.seeds)
    return None


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
