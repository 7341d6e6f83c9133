"""What an items table shows beside its verdicts: every arm's scores, and what so many seeds and questions can decide.

A plan reckons with defaults before anything runs; here the spread over seeds and the error by images are those that the
items show. With one seed it is about these weights alone, as the verdict is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from orchestrator.analysis.effects import Estimate
from orchestrator.analysis.methods.contract import Question
from orchestrator.analysis.pairs import pair_weights, sum_of_squares
from orchestrator.analysis.plan_assumptions import Assumptions
from orchestrator.analysis.plan_power import MARGIN_TESTS, HypothesisPower, seeds_needed
from orchestrator.analysis.power import SCALE, smallest_effect, smallest_margin
from orchestrator.analysis.prior_rows import Prior, prior_rows
from orchestrator.analysis.study_price import seen_effect
from orchestrator.analysis.verdict_model import plain_values
from orchestrator.items.item_scores import ItemScores
from orchestrator.items.judge import JudgedItems
from search_spaces.error_text import first_line
from search_spaces.errors import InputError

_SEEN = "spread over seeds and error by images are what these items show"
_SEEN_BY_IMAGES = "with one seed nothing is known of the spread over seeds: the smallest effect is one of these weights"


@dataclass(frozen=True)
class ArmCell:
    """Score of an arm on one benchmark, or in the mean over all."""

    benchmark: str | None
    """None: the mean over all benchmarks."""
    points: float
    interval: tuple[float, float] | None
    """None where there is no telling: all questions are about one image."""
    seeds: tuple[int, ...]
    has_signal: bool


@dataclass(frozen=True)
class ArmRow:
    """Scores of one arm."""

    arm: str
    cells: tuple[ArmCell, ...]
    """Those that there are."""


@dataclass(frozen=True)
class ItemsOverview:
    """Scores of all arms, and what the items can decide."""

    benchmarks: tuple[str, ...]
    rows: tuple[ArmRow, ...]
    power: tuple[HypothesisPower, ...]
    """Of the hypotheses whose arms can be compared."""
    priors: tuple[Prior, ...] = ()
    """What needs no image, lowest first."""

    def as_json(self) -> dict[str, Any]:
        """Turn it into the values that `verdicts --items --json` prints beside the verdicts."""
        arms = [
            {
                "arm": row.arm,
                "scores": [
                    {
                        "benchmark": cell.benchmark,
                        "points": cell.points,
                        "interval": cell.interval,
                        "seeds": cell.seeds,
                        "has_signal": cell.has_signal,
                    }
                    for cell in row.cells
                ],
            }
            for row in self.rows
        ]
        priors = [
            {
                "prior": prior.name,
                "scores": [
                    {"benchmark": name, "points": points}
                    for name, points in zip(self.benchmarks, prior.values, strict=True)
                    if points is not None
                ],
            }
            for prior in self.priors
        ]
        return {
            "arms": plain_values(arms),
            "priors": plain_values(priors),
            "power": [hypothesis.as_json() for hypothesis in self.power],
        }


def overview_of(judged: JudgedItems) -> ItemsOverview:
    """Collect the scores of all arms, and the smallest effect and margin of every hypothesis that can be compared."""
    scored = judged.scored
    rows = tuple(ArmRow(arm, _cells(arm, scored)) for arm in scored.trials)
    power = [_power(question, judged) for question in judged.questions]
    known_power = tuple(known for known in power if known is not None)
    return ItemsOverview(scored.benchmarks, rows, known_power, prior_rows(scored))


def _cells(arm: str, scored: ItemScores) -> tuple[ArmCell, ...]:
    groups: list[tuple[str | None, tuple[str, ...]]] = [(name, (name,)) for name in scored.benchmarks]
    if len(scored.benchmarks) > 1:
        groups.insert(0, (None, scored.benchmarks))
    cells = []
    for name, benchmarks in groups:
        seeds = scored.scores.seeds(arm, benchmarks)
        if seeds:
            silent = set(scored.no_signal.get((arm, name or ""), ())) & set(seeds)
            points = [scored.scores.points(arm, seeds, benchmark) or 0.0 for benchmark in benchmarks]
            cells.append(
                ArmCell(name, sum(points) / len(points), _interval(arm, benchmarks, scored), seeds, not silent)
            )
    return tuple(cells)


def _interval(arm: str, benchmarks: tuple[str, ...], scored: ItemScores) -> tuple[float, float] | None:
    try:
        estimate: Estimate = scored.scores.mean(arm, benchmarks)
    except InputError:  # of one image: the verdicts say so
        return None
    return estimate.interval.low, estimate.interval.high


def _power(question: Question, judged: JudgedItems) -> HypothesisPower | None:
    """Compute what a hypothesis can decide; None where its arms share no seed, or no interval can be had."""
    hypothesis, scored = question.hypothesis, judged.scored
    weights = pair_weights(hypothesis.pairs)
    seeds = scored.common_seeds(weights, question.benchmarks)
    if not seeds:
        return None
    try:
        effect = scored.scores.effect(weights, question.benchmarks, judged.seed_sd)
    except InputError as error:
        reason = first_line(error)
        return HypothesisPower(hypothesis.id, hypothesis.expect, len(seeds), None, None, None, (reason,))
    seen = seen_effect(effect, None, len(judged.questions))
    square_weights = sum_of_squares(weights)
    shown = Assumptions(
        sd=math.sqrt(seen.spread[1] / square_weights),
        image_variance=2 * seen.design.image_variance / square_weights,
        square_weights=square_weights,
        n_arms=len(scored.trials),
        n_hypotheses=len(judged.questions),
        is_seed_sd_assumed=seen.design.is_seed_sd_assumed,
        looks=hypothesis.looks,
        spending=hypothesis.spending,
    )
    design = shown.design(len(seeds))
    smallest, margin = min(smallest_effect(design), SCALE), smallest_margin(design, MARGIN_TESTS[hypothesis.expect])
    is_recipe = effect.estimate.scope == "recipe"
    needed = seeds_needed(hypothesis, shown, shown) if is_recipe else ()
    most = needed[-1].seeds[1] if needed else 0
    return HypothesisPower(
        id=hypothesis.id,
        expect=hypothesis.expect,
        n_seeds=len(seeds),
        n_examples=effect.estimate.n_examples,
        smallest_effect=(smallest, smallest),
        smallest_margin=None if margin is None else (min(margin, SCALE), min(margin, SCALE)),
        assumptions=(_SEEN,) if is_recipe else (_SEEN_BY_IMAGES,),
        needed=needed,
        is_too_small=most is None or most > len(seeds),
    )
