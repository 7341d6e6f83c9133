"""Price work that is left: GPU-hours as a plan reckons them, or seconds as finished trials took them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from orchestrator.analysis.number_text import listed
from orchestrator.planning.estimates import Assumptions, estimates, used_gpus
from orchestrator.state.ledger import Ledger
from search_spaces.plan import Plan
from search_spaces.quantities import duration, number_of


@dataclass(frozen=True)
class WorkPrice:
    """What some stages of a plan cost."""

    stages: int
    steps: int | None
    """None where those of some stage are not known yet."""
    gpu_hours: float | None
    """As `ablate plan` estimates them; None without GPUs, or while something is not known."""
    worker_seconds: float | None
    """Of one worker after the other, from the steps of the study's finished trials; None where there are none."""
    gpu: str

    @property
    def sentence(self) -> str:
        if not self.stages:
            return "nothing is to be trained"
        steps = "an unknown number of steps" if self.steps is None else number_of(self.steps, "step")
        text = f"{number_of(self.stages, 'stage')}, {steps}"
        if self.gpu_hours is not None:
            return f"{text}; about {self.gpu_hours:,.3g} GPU-hours on {self.gpu} (estimated)"
        if self.worker_seconds is not None:
            return f"{text}; about {duration(self.worker_seconds)} of one worker (by the trials that are done)"
        return text


def price_stages(plan: Plan, ledger: Ledger, stages: Collection[str], assumed: Assumptions) -> WorkPrice:
    """Price stages of a plan.

    Args:
        plan: of the study.
        ledger: of the plan: its finished trials tell how long a step takes.
        stages: ids of those that are to be trained.
        assumed: GPU that hours are for.
    """
    nodes = [plan.nodes[name] for name in stages]
    known = [node.steps for node in nodes if node.steps is not None]
    steps = sum(known) if len(known) == len(nodes) else None
    by_node = estimates(plan, assumed)
    hours = [estimate.gpu_hours for node in nodes if (estimate := by_node[node.id]) is not None]
    is_known = len(hours) == len(nodes) and None not in hours
    per_step = _seconds_per_step(plan, ledger)
    return WorkPrice(
        stages=len(nodes),
        steps=steps,
        gpu_hours=sum(hour for hour in hours if hour is not None) if nodes and is_known else None,
        worker_seconds=steps * per_step if steps is not None and per_step is not None else None,
        gpu=listed(each.gpu for each in used_gpus(plan, assumed)),
    )


def _seconds_per_step(plan: Plan, ledger: Ledger) -> float | None:
    """Divide what finished trials took, with features and scores, by the steps of their stages."""
    seconds, steps = 0.0, 0
    for trial in plan.trials:
        result = ledger.trials[trial.id].result
        if result is not None:
            seconds += result.cost.gpu_seconds_alone
            steps += sum(node.steps or 0 for node in trial.stage_nodes(plan))
    return seconds / steps if steps else None
