"""Say what is damaged on the storage of a study, and what becomes of it.

Results stand whatever happens to the weights behind them: weights are trained again only where something that is
still to be done reads them, or where a person asks for it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from orchestrator.state.stored_nodes import StoredNodes
from search_spaces.plan import Node, Plan, PlannedTrial
from trainables.storage.damages import Damage
from trainables.storage.lost_stages import lost_stages
from trainables.storage.store import Store

logger = logging.getLogger(__name__)

_said: set[str] = set()
"""Losses that this process has told of: a ledger is read again and again while a study runs."""


@dataclass(frozen=True)
class Loss:
    """A damaged file of a study, and what becomes of it."""

    damage: Damage
    consequence: str
    """A clause: what is made again, when and by what; or that nothing needs it."""

    def __str__(self) -> str:
        return f"{self.damage}; {self.consequence}"


def say(losses: Iterable[Loss]) -> None:
    """Warn of each loss, once per process."""
    for loss in losses:
        if str(loss) not in _said:
            _said.add(str(loss))
            logger.warning("%s", loss)


def forget() -> None:
    """Tell of every loss again, as another process would."""
    _said.clear()


def needed_again(plan: Plan, open_trials: Mapping[str, bool], nodes: StoredNodes, store: Store) -> frozenset[str]:
    """Find the damaged nodes that must be made again for what is still to be done.

    Args:
        plan: of the study.
        open_trials: trial that is not done -> whether all that is asked of it is scored.
        nodes: of the plan, as storage holds them.
        store: the storage.
    """
    needed: set[str] = set()
    for trial in plan.trials:
        if trial.id in open_trials and not nodes.damaged.keys().isdisjoint(trial.path):
            needed |= {name for name in trial.path if name in nodes.damaged and plan.nodes[name].kind == "features"}
            needed |= lost_nodes(plan, trial, store, is_scored=open_trials[trial.id])
    return frozenset(needed)


def lost_nodes(plan: Plan, trial: PlannedTrial, store: Store, *, is_scored: bool) -> frozenset[str]:
    """Find the stages of a trial that must be trained again, by the shape of their files.

    Args:
        plan: of the study.
        trial: of the plan.
        store: the storage.
        is_scored: whether nothing is left to ask of the trained model.
    """
    stages = trial.stage_nodes(plan)
    lost = lost_stages(store, [node.key for node in stages], "shape", is_scored=is_scored)
    return frozenset(stages[index].id for index in lost)


def node_losses(plan: Plan, nodes: StoredNodes, needed: Collection[str], open_trials: Collection[str]) -> list[Loss]:
    """Say of every damaged node what becomes of it.

    Args:
        plan: of the study.
        nodes: of the plan, as storage holds them.
        needed: ids of the nodes that are made again.
        open_trials: ids of the trials that are not done.
    """
    losses = []
    for name, damages in nodes.damaged.items():
        node = plan.nodes[name]
        users = [trial for trial in node.trials if trial in open_trials]
        consequence = _made_again(node, users) if name in needed else _not_needed(node)
        losses += [Loss(damage, consequence) for damage in damages]
    return losses


def _made_again(node: Node, users: Sequence[str]) -> str:
    number = f"{len(users)} trial{'s' * (len(users) != 1)}"
    match node.kind:
        case "stage":
            return f"`ablate run` trains {node.name} again, for {number}"
        case "features":
            return f"`ablate run` computes the features again, for {number}"
        case "evaluation":
            return f"`ablate run` evaluates again, for {number}"
        case _:
            assert_never(node.kind)


def _not_needed(node: Node) -> str:
    if node.kind == "stage":
        return "results stand, and no trial that is left to do needs it: `ablate run --restore-weights` trains it again"
    return "results stand, and no trial that is left to do needs it"
