"""Wait until a Ray cluster has its nodes: `python -m cluster.wait_for_nodes HOST:PORT COUNT --within SECONDS`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray.exceptions import RayError

from cluster.address import ask_head
from search_spaces.errors import InputError

ANSWER_WITHIN_S = 20.0
LOOK_EVERY_S = 2.0


def wait_for_nodes(
    count: int,
    alive: Callable[[], int],
    *,
    place: str,
    patience_s: float,
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
                way_out=f"Ray's logs on the nodes that are missing say why: {_logs()}. If they need longer, raise"
                " `nodes_within_s` of the profile's `slurm`.",
            )
        sleep(LOOK_EVERY_S)


def nodes_alive(address: str) -> int:
    """Count the nodes of a cluster that are alive; 0 while its head does not answer, or fails to, which is printed.

    Args:
        address: host:port of the head.
    """
    if ask_head(address, ANSWER_WITHIN_S) is not None:
        return 0
    try:
        return sum(1 for node in list_nodes(address) if node.state == 0)
    except RayError as error:  # a head that is busy with hundreds of nodes answers the next time
        print(f"{address} did not list its nodes: {error}", file=sys.stderr)
        return 0


def list_nodes(address: str) -> list[Any]:
    """List what a head knows of its nodes, dead ones included, as Ray's messages.

    Args:
        address: host:port of the head.
    """
    from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled

    return list(GcsClient(address=address).get_all_node_info().values())


def _logs() -> str:
    return str(Path(os.environ.get("RAY_TMPDIR", "/tmp"), "ray/session_latest/logs"))


def main(arguments: list[str]) -> int:
    """Wait for the nodes that the command line names. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m cluster.wait_for_nodes")
    parser.add_argument("address")
    parser.add_argument("count", type=int)
    parser.add_argument("--within", type=float, required=True, metavar="SECONDS")
    given = parser.parse_args(arguments)
    address: str = given.address
    try:
        wait_for_nodes(given.count, lambda: nodes_alive(address), place=address, patience_s=given.within)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
