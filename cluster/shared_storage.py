"""Check that all nodes see the same storage, before anything runs: a trial on a node that does not would be lost."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from cluster.fit import NodeResources
from search_spaces.errors import InputError

ANSWER_WITHIN_S = 120.0
"""A node may have to start its first worker process to answer."""


class Probed(Protocol):
    """The part of a store that is needed: write a file, know where it can be read, remove it."""

    def put(self, name: str, data: bytes) -> None: ...
    def reading(self, name: str) -> Path: ...
    def place(self, name: str) -> str: ...
    def remove(self, name: str) -> None: ...


def require_shared_storage(nodes: Sequence[NodeResources], store: Probed) -> None:
    """Write a probe and have every node read it. With one node there is nothing to check.

    Raises:
        InputError: naming the nodes that do not see it.
    """
    if len(nodes) < 2:
        return
    name = f"scratch/probe-{secrets.token_hex(4)}"
    store.put(name, b"seen")
    try:
        blind = nodes_without(store.reading(name), nodes)
    finally:
        store.remove(name)
    if blind:
        raise InputError(
            f"every node must see the storage, but {len(blind)} of {len(nodes)} do not: {', '.join(blind)}",
            place=store.place("."),
            way_out="Give a folder on a shared file system with --storage or ABLATE_STORAGE.",
        )


def nodes_without(file: Path, nodes: Sequence[NodeResources]) -> list[str]:
    """List the ids of the nodes on which a file is not there."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    sees = ray.remote(num_cpus=0)(os.path.exists)
    answers = [
        sees.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.name, soft=False)).remote(str(file))
        for node in nodes
    ]
    exists = ray.get(answers, timeout=ANSWER_WITHIN_S)
    return [node.name for node, seen in zip(nodes, exists, strict=True) if not seen]
