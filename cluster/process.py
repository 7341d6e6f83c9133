"""Name processes of the cluster, and run small functions on a node of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import psutil

from search_spaces.oom_kills import count_oom_kills

Answer = TypeVar("Answer")

_CLOCK_TOLERANCE_S = 2.0
_ASK_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Process:
    """A process somewhere in the cluster. `started` (seconds since the epoch) tells it from a later one of its pid."""

    node_id: str
    pid: int
    started: float

    def is_same(self, running: psutil.Process) -> bool:
        """Check that a process of this node is this one, and not a later one of its pid."""
        return abs(float(running.create_time()) - self.started) <= _CLOCK_TOLERANCE_S


def call_on_node(function: Callable[..., object], node_id: str, *arguments: object) -> Any:
    """Call a function in a process of a node, which takes no resources. Returns Ray's reference to the answer."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node_id, soft=False)
    return ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=there)(function).remote(*arguments)


def ask_node(function: Callable[..., Answer], node_id: str, *arguments: object, timeout_s: float) -> Answer | None:
    """Call a function in a process of a node and wait for its answer; None if the node gives none in time.

    Args:
        function: importable on the node.
        node_id: Ray's id of the node.
        arguments: of the function.
        timeout_s: seconds to wait.
    """
    import ray
    from ray.exceptions import RayError

    try:
        answer: Answer = ray.get(call_on_node(function, node_id, *arguments), timeout=timeout_s)
    except RayError:
        return None
    return answer


def is_node_gone(error: Exception) -> bool:
    """Check whether Ray says of a process that its node is gone, and not the process alone."""
    from ray.exceptions import NodeDiedError

    return isinstance(error, NodeDiedError) or "its node has died" in str(error)  # Ray gives no other sign of it


def has_killed_since(node_id: str, before: int | None) -> bool:
    """Check whether the kernel of a node has killed a process for want of memory since a count.

    Args:
        node_id: Ray's id of the node.
        before: `count_oom_kills` there; None if it was not told.
    """
    if before is None:
        return False
    now = ask_node(count_oom_kills, node_id, timeout_s=_ASK_TIMEOUT_S)
    return now is not None and now > before
