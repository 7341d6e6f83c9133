"""Say how a study's hypotheses stand after a look, and how probably more seeds decide those that are open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from orchestrator.analysis.assurance import Claim, with_more_seeds
from orchestrator.analysis.looks import Looks
from orchestrator.analysis.next_seeds import ClaimState, Standing
from orchestrator.analysis.pairs import pair_weights
from orchestrator.analysis.rule import ALPHA, statement_of
from orchestrator.analysis.study_price import assumed_variance, seen_effect
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.analysis.verdict_model import Verdict
from orchestrator.state.ledger import Ledger
from search_spaces.plan import Plan
from search_spaces.study import Hypothesis, Study

_SMALLEST_SHARE = 1e-9


def claim_states(
    study: Study,
    plan: Plan,
    scored: StudyScores,
    verdicts: Sequence[Verdict],
    steps: Sequence[int],
    planned: Mapping[str, int],
) -> tuple[ClaimState, ...]:
    """Collect how every hypothesis stands, in the order of the study.

    Args:
        study: with the hypotheses.
        plan: of the study, with the seeds that were added.
        scored: scores of its trials.
        verdicts: on the hypotheses, in their order.
        steps: numbers of seeds at which hypotheses that declare no looks are looked at.
        planned: id of a hypothesis -> seeds that were planned before there were scores.
    """
    return tuple(
        _state(hypothesis, verdict, study, plan, scored, tuple(hypothesis.looks or steps), planned[hypothesis.id])
        for hypothesis, verdict in zip(study.hypotheses, verdicts, strict=True)
    )


def trial_costs(plan: Plan, ledger: Ledger) -> Mapping[str, float]:
    """Map every arm to what one of its trials has cost in GPU-seconds, in the mean: of all trials where it has none."""
    costs: dict[str, list[float]] = {arm.name: [] for arm in plan.arms}
    for entry in ledger.trials.values():
        if entry.result is not None:
            costs[entry.arm].append(entry.result.cost.gpu_seconds)
    everything = [cost for of_arm in costs.values() for cost in of_arm]
    return {arm: _mean(of_arm or everything) for arm, of_arm in costs.items()}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _state(
    hypothesis: Hypothesis,
    verdict: Verdict,
    study: Study,
    plan: Plan,
    scored: StudyScores,
    steps: tuple[int, ...],
    planned: int,
) -> ClaimState:
    weights = pair_weights(hypothesis.pairs)
    arms = tuple(weights)
    seeds = plan.common_seeds(arms)
    standing = _standing(verdict, arms, seeds)
    if standing != "open" or verdict.interval is None:
        return ClaimState(hypothesis.id, arms, standing, len(seeds), steps)
    low, high = verdict.interval
    chance = _chance(hypothesis, verdict, study, scored, planned)
    return ClaimState(hypothesis.id, arms, standing, len(seeds), steps, high - low, chance)


def _standing(verdict: Verdict, arms: Sequence[str], seeds: Sequence[int]) -> Standing:
    if verdict.holds is not None:
        return "decided"
    if verdict.effect is None:
        return "refused" if seeds else "open"
    guesses = [set(part.no_signal) for part in verdict.by_benchmark]
    return "silent" if guesses and all(guessing >= set(arms) for guessing in guesses) else "open"


def _chance(
    hypothesis: Hypothesis, verdict: Verdict, study: Study, scored: StudyScores, planned: int
) -> Callable[[int], float]:
    """Make the function from a number of seeds to the probability that they decide a hypothesis.

    It is `assurance`, as in the price of the verdict, with one look at all of these seeds, and with what is left of the
    level for that look.
    """
    weights = pair_weights(hypothesis.pairs)
    effect = scored.scores.effect(weights, verdict.benchmarks, study.seed_sd)
    seen = seen_effect(effect, assumed_variance(effect, weights), len(study.hypotheses))
    claim = Claim(statement_of(hypothesis.expect), hypothesis.margin)
    earlier = [look.seeds for look in verdict.looks]

    @cache
    def chance(n: int) -> float:
        design = replace(seen.design, look_share=_look_share(hypothesis, earlier, n, planned))
        return with_more_seeds(replace(seen, design=design), claim, max(n - len(effect.estimate.seeds), 1))

    return chance


def _look_share(hypothesis: Hypothesis, earlier: Sequence[tuple[int, ...]], n: int, planned: int) -> float:
    """Compute the share of alpha that one further look, at `n` seeds, may use.

    Args:
        hypothesis: that is looked at.
        earlier: seeds of all looks so far.
        n: more than those of the last look.
        planned: seeds that were planned before there were scores.
    """
    if not earlier:
        return 1.0
    have = earlier[-1]
    more = range(max(have) + 1, max(have) + 1 + n - len(have))
    last, is_declared = (hypothesis.looks[-1], True) if hypothesis.looks else (max(planned, 1), False)
    looks = Looks.of([*earlier, (*have, *more)], last, hypothesis.spending, is_declared=is_declared)
    return max(looks.level(ALPHA) / ALPHA, _SMALLEST_SHARE)
