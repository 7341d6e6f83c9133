"""Read from storage which nodes of a plan are done, damaged, being produced, or have steps that are kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import assert_never

from search_spaces.plan import Node, Plan
from trainables.storage import layout
from trainables.storage.artifacts import verify_features, verify_stage
from trainables.storage.damages import Damage
from trainables.storage.record_files import read_whole
from trainables.storage.records import FeaturesResult, StageResult
from trainables.storage.store import Store


@dataclass(frozen=True)
class StoredNode:
    """What storage holds of a stage or of features."""

    result: StageResult | FeaturesResult | None
    """None if there is none that can be read."""
    damages: tuple[Damage, ...]
    """Of the result and its files."""

    @property
    def is_done(self) -> bool:
        """Whether there is a result, and whole files."""
        return self.result is not None and not self.damages


@dataclass(frozen=True)
class StoredNodes:
    """Ids of the plan's nodes by what storage holds of them."""

    done: frozenset[str]
    """With a result, and files that are whole."""
    damaged: Mapping[str, tuple[Damage, ...]]
    """Id of a node with a result -> what is wrong with it or its files."""
    stages: Mapping[str, StageResult]
    """Id of a stage that was read, with a result that can be -> the result, whether its weights are whole or not."""
    produced: frozenset[str]
    """Leased by a living run."""
    kept_steps: Mapping[str, int]
    """Id of a stage that is not done, but has a checkpoint -> optimizer steps that the newest one holds."""


def read_nodes(plan: Plan, store: Store, leases: set[str], finished: Collection[str] = ()) -> StoredNodes:
    """Read the nodes of a plan from storage.

    Args:
        plan: of the study.
        store: the storage.
        leases: all that were taken and not released.
        finished: ids of trials whose stages are known to be done and whole. A stage that only such need is not read.
    """
    known = {
        node.id for node in plan.nodes.values() if node.kind == "stage" and all(map(finished.__contains__, node.trials))
    }
    stored = {node.id: read_node(node, store) for node in plan.nodes.values() if node.id not in known}
    done = known | {name for name, each in stored.items() if each.is_done}
    open_nodes = [node for node in plan.nodes.values() if node.id not in done]
    kept = {node.id: steps for node in open_nodes if (steps := kept_steps(node, store)) is not None}
    return StoredNodes(
        frozenset(done),
        {name: each.damages for name, each in stored.items() if each.damages},
        {name: each.result for name, each in stored.items() if isinstance(each.result, StageResult)},
        frozenset(n.id for n in open_nodes if n.key in leases and store.lease_owner(n.key) is not None),
        kept,
    )


def read_node(node: Node, store: Store) -> StoredNode:
    """Read what storage holds of a stage or of features, by the shape of its files; nothing of an evaluation."""
    return StoredNode(node_result(node, store), _damages(node, store))


def _damages(node: Node, store: Store) -> tuple[Damage, ...]:
    if node.key is None:
        return ()
    match node.kind:
        case "stage":
            return verify_stage(store, node.key, "shape").damages
        case "features":
            return verify_features(store, node.key, "shape").damages
        case "evaluation":
            return ()
        case _:
            assert_never(node.kind)


def node_result(node: Node, store: Store) -> StageResult | FeaturesResult | None:
    """Read the result of a stage or of features; None if there is none that can be read."""
    if node.key is None:
        return None
    match node.kind:
        case "stage":
            return read_whole(store, layout.stage_result(node.key), StageResult)
        case "features":
            return read_whole(store, layout.features_result(node.key), FeaturesResult)
        case "evaluation":
            return None
        case _:
            assert_never(node.kind)


def checkpointed_steps(store: Store, key: str) -> int | None:
    """Read the optimizer steps of a stage's newest checkpoint from its folder's name; None where it has none.

    Those of other formats hold nothing that a stage could go on from.
    """
    steps = map(layout.step_of_checkpoint, store.folders(layout.checkpoints(key)))
    return max((step for step in steps if step is not None), default=None)


def kept_steps(node: Node, store: Store) -> int | None:
    """Read the steps of a node that its newest checkpoint holds; None where it has none, or is no stage."""
    return None if node.key is None or node.kind != "stage" else checkpointed_steps(store, node.key)
