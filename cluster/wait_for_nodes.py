"""Wait until a Ray cluster has its nodes: `python -m cluster.wait_for_nodes HOST:PORT COUNT`, in batch scripts."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from cluster.address import ask_head
from search_spaces.errors import InputError

PATIENCE_S = 300.0
"""Longest wait: importing Ray from a network file system takes minutes on many nodes at once."""

ANSWER_WITHIN_S = 20.0
LOOK_EVERY_S = 2.0


def wait_for_nodes(
    count: int,
    alive: Callable[[], int],
    *,
    place: str,
    patience_s: float = PATIENCE_S,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Return when so many nodes are alive.

    Args:
        count: number of nodes.
        alive: counts those that are alive; 0 while the head does not answer.
        place: address of the head, for the error.
        patience_s: longest wait.
        sleep: waits for some seconds.
        now: clock, in seconds.

    Raises:
        InputError: if there are fewer when the time is over.
    """
    ends = now() + patience_s
    while (there := alive()) < count:
        if now() > ends:
            raise InputError(
                f"must have {count} nodes after {patience_s:.0f} s, but has {there}",
                place=place,
                way_out="Ray's logs on the nodes that are missing say why: /tmp/ray/session_latest/logs.",
            )
        sleep(LOOK_EVERY_S)


def nodes_alive(address: str) -> int:
    """Count the nodes of a cluster that are alive; 0 while its head does not answer.

    Args:
        address: host:port of the head.
    """
    if ask_head(address, ANSWER_WITHIN_S) is not None:
        return 0
    from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled

    return sum(1 for node in GcsClient(address=address).get_all_node_info().values() if node.state == 0)


def main(arguments: list[str]) -> int:
    """Wait for the nodes that the command line names. Returns the exit code."""
    address, count = arguments
    try:
        wait_for_nodes(int(count), lambda: nodes_alive(address), place=address)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
