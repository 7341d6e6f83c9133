"""Read from storage which nodes of a plan are done, are being produced, or have steps that are kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from search_spaces.plan import Node, Plan
from trainables.storage import layout
from trainables.storage.finished import finished_features, finished_stage
from trainables.storage.records import FeaturesResult, StageResult
from trainables.storage.store import Store


@dataclass(frozen=True)
class StoredNodes:
    """Ids of the plan's nodes by what storage holds of them."""

    done: frozenset[str]
    """With a result."""
    stages: Mapping[str, StageResult]
    """Id of a stage that is done -> its result."""
    produced: frozenset[str]
    """Leased by a living run."""
    kept_steps: Mapping[str, int]
    """Id of a stage that is not done, but has a checkpoint -> optimizer steps that the newest one holds."""


def read_nodes(plan: Plan, store: Store, leases: set[str]) -> StoredNodes:
    """Read the nodes of a plan from storage.

    Args:
        plan: of the study.
        store: the storage.
        leases: all that were taken and not released.

    Raises:
        InputError: a result is damaged; see `node_result`.
    """
    results = {node.id: result for node in plan.nodes.values() if (result := node_result(node, store)) is not None}
    done = frozenset(results)
    open_nodes = [node for node in plan.nodes.values() if node.id not in done]
    kept = {node.id: steps for node in open_nodes if (steps := kept_steps(node, store)) is not None}
    return StoredNodes(
        done,
        {name: result for name, result in results.items() if isinstance(result, StageResult)},
        frozenset(n.id for n in open_nodes if n.key in leases and store.lease_owner(n.key) is not None),
        kept,
    )


def node_result(node: Node, store: Store) -> StageResult | FeaturesResult | None:
    """Read the result of a stage or of features; None if there is none yet, or if only trials have results of it.

    Raises:
        InputError: if the result is there, but it or a file that it stands for is not whole: such a node is neither
            done nor to be done again.
    """
    if node.key is None:
        return None
    match node.kind:
        case "stage":
            return finished_stage(store, node.key)
        case "features":
            return finished_features(store, node.key)
        case "evaluation":
            return None
        case _:
            assert_never(node.kind)


def checkpointed_steps(store: Store, key: str) -> int | None:
    """Read the optimizer steps of a stage's newest checkpoint from its folder's name; None where it has none."""
    numbers = (re.match(r"\d+", folder) for folder in store.folders(layout.checkpoints(key)))
    return max((int(number[0]) for number in numbers if number), default=None)


def kept_steps(node: Node, store: Store) -> int | None:
    """Read the steps of a node that its newest checkpoint holds; None where it has none, or is no stage."""
    return None if node.key is None or node.kind != "stage" else checkpointed_steps(store, node.key)
