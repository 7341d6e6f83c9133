"""What runs in the process of a worker, whichever way it was started: its environment, its member, its seat."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import TypeVar

import ray

from cluster.launcher import MemberCode
from cluster.seats import Seat, visible_devices
from search_spaces.error_text import first_line, named_message
from search_spaces.worker_contract import Advanced, Failed, Member, Opened, Place

Answer = TypeVar("Answer")


class GangWorker:
    """One rank of a group, as a Ray actor. An empty shell until `take`: seats come first, imports after.

    Every method answers: what a member raises, as it must not, is a `Failed` here.
    """

    def __init__(self) -> None:
        self._member: Member | None = None

    def seat(self) -> Seat:
        """Return where this process has come to sit."""
        node_id = ray.get_runtime_context().get_node_id()
        assigned = [str(gpu) for gpu in ray.get_gpu_ids()]
        devices = visible_devices(assigned, os.environ.get("CUDA_VISIBLE_DEVICES"))
        return Seat(node_id, ray.util.get_node_ip_address(), os.getpid(), devices)

    def take(self, code: MemberCode, place: Place, one_node: bool) -> Failed | None:
        """Take a rank: import the code and make the member."""
        made = make_member(code, place, one_node)
        if isinstance(made, Failed):
            return made
        self._member = made
        return None

    def listen(self) -> str | Failed:
        return _answered(self._taken.listen)

    def join(self, address: str) -> Failed | None:
        return _answered(lambda: self._taken.join(address))

    def open(self, task: object) -> Opened | Failed:
        return _answered(lambda: self._taken.open(task))

    def advance(self, units: int) -> Advanced | Failed:
        return _answered(lambda: self._taken.advance(units))

    def close(self) -> Failed | None:
        return _answered(self._taken.close)

    @property
    def _taken(self) -> Member:
        if self._member is None:
            raise RuntimeError("this worker has not taken a rank")
        return self._member


def _answered(call: Callable[[], Answer | Failed]) -> Answer | Failed:
    """Return the answer of a call, or what it raised as a failure."""
    try:
        return call()
    except Exception as error:
        return Failed("error", first_line(named_message(error)), traceback=traceback.format_exc())


def make_member(code: MemberCode, place: Place, one_node: bool) -> Member | Failed:
    """Make this process's member, or fail as its imports do. The environment comes first: libraries read it once."""
    os.environ.update(environment(place, one_node))
    try:
        return code.make(place)
    except Exception as error:
        return Failed("error", first_line(named_message(error)), traceback=traceback.format_exc(), rank=place.rank)


def environment(place: Place, one_node: bool) -> dict[str, str]:
    """Return the environment variables of a worker process."""
    variables = {
        "RANK": str(place.rank),
        "WORLD_SIZE": str(place.world),
        "LOCAL_RANK": str(place.local_rank),
        "OMP_NUM_THREADS": str(place.threads),
    }
    if place.device == "cpu":
        variables["DS_ACCELERATOR"] = "cpu"
    if one_node:  # by name: looking the host name up is slow or wrong on many laptops
        loopback = "lo0" if sys.platform == "darwin" else "lo"
        variables |= {"GLOO_SOCKET_IFNAME": loopback, "NCCL_SOCKET_IFNAME": loopback}
    return variables
