"""Write what each step of `ablate run --until-decided` has decided: a line per hypothesis, and one for the seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from orchestrator.analysis.next_seeds import ClaimState, Decision, Fate
from orchestrator.analysis.verdict_model import Verdict
from orchestrator.state.ledger import TrialState
from search_spaces.quantities import Device, device_time, number_of
from search_spaces.seeds import seeds_by_arm_text


@dataclass(frozen=True)
class Budget:
    """Hours of GPUs, or of CPUs, of a run with a cap."""

    spent: float
    """Since seeds were added for the first time."""
    cap: float
    """Infinite where there is none."""
    device: Device = "GPU"
    """That the hours are of."""

    def __str__(self) -> str:
        of = f" of {self.cap:g} {self.device}-hours" if math.isfinite(self.cap) else ""
        return f"{device_time(3600 * self.spent, self.device)}{of} spent"


def step_lines(
    look: int,
    decision: Decision,
    claims: Sequence[ClaimState],
    verdicts: Sequence[Verdict],
    budget: Budget,
    told: Mapping[str, Fate],
) -> list[str]:
    """Write the lines of one look.

    Args:
        look: its number, from 1.
        decision: that it led to.
        claims: hypotheses after the look, in the order of the study.
        verdicts: on the hypotheses, in that order.
        budget: and what is spent of it.
        told: fates that lines of earlier looks have told; they are not told again.
    """
    lines = [
        f"look {look}: {claim.id} {_fate(decision, claim, verdict)}"
        for claim, verdict in zip(claims, verdicts, strict=True)
        if told.get(claim.id) != decision.fates[claim.id] or claim.id in decision.served
    ]
    return [*lines, f"look {look}: {_what_is_done(decision, budget)}"]


def left_line(counts: Mapping[TrialState, int], budget: Budget) -> str:
    """Write that the budget was spent before all trials of a look were done."""
    left = sum(counts.values()) - counts["done"] - counts["failed"]
    return f"stopped by the budget before the next look, {budget}: {number_of(left, 'trial')} left"


def _fate(decision: Decision, claim: ClaimState, verdict: Verdict) -> str:
    seeds = number_of(claim.n_seeds, "seed")
    chance = f"{100 * decision.chances.get(claim.id, 0.0):.0f} %"
    match decision.fates[claim.id]:
        case "decided":
            return (
                f"is decided with {seeds}: {verdict.verdict}, the claim {'holds' if verdict.holds else 'does not hold'}"
            )
        case "refused":
            return f"cannot be compared: {verdict.reasons[0] if verdict.reasons else verdict.sentence}"
        case "silent":
            return "shows no signal: more seeds decide nothing"
        case "over":
            return f"stays open after its last look, with {seeds}"
        case "futile":
            return f"stays open: adding seeds is futile, {chance} for a decision by its last look at {claim.last_step}"
        case "too dear":
            return f"is open with {seeds}: the budget does not reach the looks that may decide it"
        case "served":
            width = f" (interval {claim.width:.1f} points wide)" if math.isfinite(claim.width) else ""
            odds = f"{chance} for a decision by its last look"
            return f"is open with {seeds}{width}, {odds}; the next one is at {claim.next_step}"
        case unreachable:
            assert_never(unreachable)


def _what_is_done(decision: Decision, budget: Budget) -> str:
    if not decision.is_last:
        trials = sum(map(len, decision.seeds.values()))
        cost = f"about {device_time(decision.gpu_seconds, budget.device)}; {budget}"
        return f"{number_of(trials, 'trial')} added, seeds by arm: {seeds_by_arm_text(decision.seeds)} ({cost})"
    if decision.is_out_of_budget:
        return f"stopped by the budget, {budget}"
    is_all = all(fate == "decided" for fate in decision.fates.values())
    return f"{'all are decided' if is_all else 'no more seeds: nothing is open that they may decide'}, {budget}"
