"""The `gang` launcher: all workers of a trial run in the reservation that Tune made for that trial.

With one worker the trial's own process is the worker. With more, each is an actor in the trial's placement group and
they meet in one `torch.distributed` group; the trial's own process then only conducts and never imports what they
import.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import ray
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from cluster.launcher import MemberCode, ResourceRequest, TrialRoom
from cluster.stack_dump import dump_on_signal
from cluster.worker_group import START_TIMEOUT_S, WorkerGroup
from cluster.worker_info import WorkerInfo
from cluster.worker_process import GangWorker, make_member, this_worker
from search_spaces.worker_contract import Advanced, Device, Failed, Group, Member, Opened, RankInfo


@dataclass(frozen=True)
class Gang:
    """Launcher of worker groups inside the trial's own placement group."""

    keeps_groups: ClassVar[bool] = True

    start_timeout_s: float = START_TIMEOUT_S
    interface: str | None = None
    """Network interfaces over which workers on several hosts meet, separated by commas; None: each host decides."""

    def bundles(self, request: ResourceRequest) -> list[dict[str, float]]:
        if request.workers == 1:
            return [request.bundle()]
        return [{"CPU": 0.0}, *(request.bundle() for _ in range(request.workers))]

    def start(self, code: MemberCode, trial: TrialRoom) -> Group | Failed:
        dump_on_signal()
        if trial.request.workers == 1:
            return OwnProcess.start(code, trial.request.threads)
        reservation = ray.util.get_current_placement_group()
        return _start_actors(code, reservation, trial.request, self.start_timeout_s, self.interface)

    def give_room_back(self) -> None:
        """Do nothing: Tune reserves all of it, and gives it back."""


class OwnProcess:
    """A group of one worker: the calling process. It has no time-outs: no process can watch itself (see watchdog)."""

    size = 1
    is_own_process = True

    def __init__(self, member: Member, worker: WorkerInfo):
        self._member, self._worker = member, worker

    @staticmethod
    def start(code: MemberCode, threads: int) -> OwnProcess | Failed:
        worker = this_worker()
        device: Device = "cuda" if worker.devices else "cpu"
        rank_info = RankInfo(rank=0, world=1, local_rank=0, device=device, threads=threads, host=worker.address)
        made = make_member(code, rank_info, one_node=True)
        return worker.located(made) if isinstance(made, Failed) else OwnProcess(made, worker)

    def open(self, task: object, timeout_s: float) -> Opened | Failed:
        opened = self._member.open(task)
        return self._worker.located(opened) if isinstance(opened, Failed) else opened

    def advance(self, units: int, timeout_s: float) -> Advanced | Failed:
        advanced = self._member.advance(units)
        return self._worker.located(advanced) if isinstance(advanced, Failed) else advanced

    def close(self, timeout_s: float) -> None:
        self._member.close()

    def kill(self) -> None:
        """Close what is open; the worker itself ends with the process that it is."""
        self._member.close()


def _start_actors(
    code: MemberCode, reservation: Any, request: ResourceRequest, timeout_s: float, interface: str | None
) -> WorkerGroup | Failed:
    """Start one actor in each bundle of a reservation and join them into one group.

    Args:
        code: makes the member of each worker process.
        reservation: Ray's placement group of the calling trial. (Ray Tune drops the conductor's bundle: it is empty.)
        request: what the trial needs.
        timeout_s: seconds for each of the steps, for all ranks together.
        interface: chosen for this run; None where each host decides.
    """
    actors = [_actor(reservation, i, request.bundle()) for i in range(request.workers)]
    group = WorkerGroup([partial(_ask, actor) for actor in actors], partial(_kill, actors))
    failed = group.locate(timeout_s, interface) or group.meet(code, request.threads, timeout_s, interface)
    if failed:
        group.kill()
        return failed
    return group


def _actor(reservation: Any, index: int, bundle: Mapping[str, float]) -> Any:
    options = {
        "num_cpus": bundle.get("CPU", 0),
        "num_gpus": bundle.get("GPU", 0),
        "max_restarts": 0,
        "scheduling_strategy": PlacementGroupSchedulingStrategy(reservation, placement_group_bundle_index=index),
    }
    return ray.remote(GangWorker).options(**options).remote()


def _ask(actor: Any, method: str, *arguments: object) -> Any:
    return getattr(actor, method).remote(*arguments)


def _kill(actors: Sequence[Any]) -> None:
    for actor in actors:
        ray.kill(actor, no_restart=True)
