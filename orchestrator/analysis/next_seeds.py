"""Decide which arms get more seeds next, or that no more are added: the rule of `ablate run --until-decided`.

A pure function of the verdicts, the seeds that are there and what trials have cost, so that a run that was killed and
is started again decides the same. Every step is one look at the verdicts. A claim goes from one declared number of
seeds to the next; of the claims that are open, the one with the widest interval is served first, and as many others in
the same step as the budget allows. No claim that its looks may still decide is given up for what it has shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

FUTILE = 0.1
"""A claim is futile if it is decided with a smaller probability by the last number of seeds that it may get."""
DEFAULT_STEPS = (3, 5, 10)

Seeds = Mapping[str, tuple[int, ...]]
Standing = Literal["decided", "refused", "silent", "open"]
"""What a look has shown of a claim; `silent`: no arm shows a signal, so that no seed decides."""


@dataclass(frozen=True)
class ClaimState:
    """A hypothesis after a look."""

    id: str
    arms: tuple[str, ...]
    standing: Standing
    n_seeds: int
    """That all of its arms have."""
    steps: tuple[int, ...]
    """Numbers of seeds at which it is looked at, ascending."""
    width: float = math.inf
    """Of its interval, in points; infinite where there is none yet."""
    chance: Callable[[int], float] = lambda n: 1.0
    """Probability that it is decided with so many seeds, given what was seen."""

    @property
    def next_step(self) -> int | None:
        """Number of seeds of its next look; None where the last one is over."""
        return next((step for step in self.steps if step > self.n_seeds), None)

    @property
    def last_step(self) -> int:
        """Number of seeds of its last look."""
        return self.steps[-1]


Fate = Literal["decided", "refused", "silent", "over", "futile", "served", "too dear"]
"""What becomes of a claim in a step. `over`: open after its last look; `too dear`: the budget does not reach its next
look, or not as far as it would have to."""


@dataclass(frozen=True)
class Decision:
    """What is done after a look."""

    fates: Mapping[str, Fate]
    """Hypothesis -> what becomes of it, in the order of the study."""
    chances: Mapping[str, float]
    """Hypothesis -> probability of a decision by the last look that it may get, of those it was computed for."""
    served: tuple[str, ...]
    """Hypotheses that get seeds, widest interval first."""
    seeds: Seeds
    """Arm -> numbers of new replicates."""
    gpu_seconds: float
    """That these are expected to cost."""

    @property
    def is_last(self) -> bool:
        """Whether no seeds are added any more."""
        return not self.served

    @property
    def is_out_of_budget(self) -> bool:
        """Whether a claim that could be decided stays open for want of GPU-hours."""
        return self.is_last and "too dear" in self.fates.values()


def decide(claims: Sequence[ClaimState], seeds: Seeds, cost_s: Callable[[str], float], left_s: float) -> Decision:
    """Choose the seeds of the next step.

    Args:
        claims: hypotheses in the order of the study.
        seeds: arm -> numbers of its replicates, of all arms.
        cost_s: GPU-seconds of one trial of an arm.
        left_s: GPU-seconds that may still be spent; infinite where there is no cap.
    """
    fates: dict[str, Fate] = {}
    chances: dict[str, float] = {}
    served: list[str] = []
    new: dict[str, tuple[int, ...]] = {}
    spent = 0.0

    def price(claim: ClaimState, step: int, given: Seeds) -> tuple[Seeds, float]:
        more = lacking(claim.arms, step, {arm: (*own, *given.get(arm, ())) for arm, own in seeds.items()})
        return more, sum(cost_s(arm) * len(numbers) for arm, numbers in more.items())

    for claim in sorted(claims, key=lambda claim: (-claim.width, claim.id)):
        if claim.standing != "open":
            fates[claim.id] = claim.standing
            continue
        if claim.next_step is None:
            fates[claim.id] = "over"
            continue
        chances[claim.id] = claim.chance(claim.last_step)
        if chances[claim.id] < FUTILE:
            fates[claim.id] = "futile"
            continue
        within = [step for step in claim.steps if step > claim.n_seeds and price(claim, step, new)[1] <= left_s - spent]
        if within:
            chances[claim.id] = claim.chance(within[-1])
        if not within or chances[claim.id] < FUTILE:
            fates[claim.id] = "too dear"
            continue
        more, cost = price(claim, claim.next_step, new)
        new = {arm: (*new.get(arm, ()), *more.get(arm, ())) for arm in {**new, **more}}
        spent += cost
        fates[claim.id] = "served"
        served.append(claim.id)
    in_order = {claim.id: fates[claim.id] for claim in claims}
    return Decision(in_order, chances, tuple(served), {arm: n for arm, n in new.items() if n}, spent)


def lacking(arms: Sequence[str], step: int, seeds: Seeds) -> dict[str, tuple[int, ...]]:
    """Choose the replicates that give these arms `step` seeds in common, with as few new trials as possible.

    Args:
        arms: of a claim.
        step: number of common seeds to come to.
        seeds: arm -> numbers of its replicates, of all arms of the study.
    """
    own = [set(seeds.get(arm, ())) for arm in arms]
    common = set.intersection(*own)
    everywhere = {number for numbers in seeds.values() for number in numbers}
    known = sorted(everywhere - common, key=lambda number: (sum(number not in have for have in own), number))
    fresh = range(max(everywhere, default=0) + 1, max(everywhere, default=0) + 1 + step)
    chosen = [*known, *fresh][: max(step - len(common), 0)]
    return {arm: tuple(sorted(n for n in chosen if n not in have)) for arm, have in zip(arms, own, strict=True)}
