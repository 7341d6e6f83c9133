"""Keep in a toy run what a study asks of the machine: what a toy run has not used it has not proved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from search_spaces.quantities import number_of
from search_spaces.resource_spec import ResourceSpec
from search_spaces.resources import ArmResources, accumulation
from search_spaces.spec import StageSpec


class Machine(NamedTuple):
    """What the machine has that toy trials are to run on."""

    cpus: int
    gpus: int


def toy_resources(
    resources: ArmResources, stages: Sequence[StageSpec], toy_stages: Sequence[StageSpec], machine: Machine | None
) -> ArmResources:
    """Make the resources of an arm's toy form: one CPU per worker, and all else that the study asks for.

    Workers, GPUs, ZeRO stages, offloading and DeepSpeed settings are kept as far as the machine has them, and so is
    whether a stage sums the gradients of several micro-batches.

    Args:
        resources: of the arm, as the study has them.
        stages, toy_stages: of the arm and of its toy form.
        machine: that toy trials run on; None where it is not known, as of a cluster: everything is kept.
    """
    arm = _toy_request(resources.arm, machine)
    of_stages = {}
    for stage, toy in zip(stages, toy_stages, strict=True):
        asked = resources.of(stage.name)
        request = _toy_request(asked, machine)
        if accumulation(stage, asked) > 1:
            request = request.model_copy(update={"micro_batch": toy.global_batch // (2 * request.workers)})
        if request != arm:
            of_stages[stage.name] = request
    return ArmResources(arm, of_stages)


def not_kept(resources: Iterable[ArmResources], machine: Machine | None) -> str | None:
    """Say in one line what the machine lacks of what arms ask for, which their toy forms do without; None if nothing.

    Args:
        resources: of the arms, as the study has them.
        machine: that toy trials run on; None where it is not known.
    """
    requests = [request for arm in resources for request in (arm.arm, *arm.stages.values())]
    pairs = [(request, _toy_request(request, machine)) for request in requests]
    has_fewer_gpus = any(toy.gpus_per_worker < request.gpus_per_worker for request, toy in pairs)
    groups = {(request.workers, toy.workers) for request, toy in pairs if toy.workers < request.workers}
    lacks = ["GPUs"] * has_fewer_gpus
    lacks += [f"groups of {number_of(workers, 'worker')} (here {kept})" for workers, kept in sorted(groups)]
    if machine is None or not lacks:
        return None
    has = f"{number_of(machine.cpus, 'CPU')} and {number_of(machine.gpus, 'GPU') if machine.gpus else 'no GPU'}"
    return f"toy: this machine has {has}, so nothing is proved of {' and '.join(lacks)}"


def _toy_request(asked: ResourceSpec, machine: Machine | None) -> ResourceSpec:
    """Make the toy form of a request that the machine can meet.

    A group that is too large for its GPUs becomes the largest that fits and still divides a global batch. On CPUs it
    becomes one worker: several trials at a time are faster there. Which nodes a trial wants of a cluster means nothing
    on one machine.
    """
    gpus, workers = asked.gpus_per_worker, asked.workers
    if machine is not None:
        gpus = min(gpus, machine.gpus)
        most = min(machine.cpus, int(machine.gpus / gpus)) if gpus else machine.cpus
        smaller = (size for size in range(min(workers, most), 0, -1) if workers % size == 0)
        workers = workers if workers <= most else next(smaller, 1) if gpus else 1
    of_its_nodes: dict[str, Any] = {} if machine is None else {"accelerator": None, "labels": {}}
    return asked.model_copy(
        update={"workers": workers, "gpus_per_worker": gpus, "cpus_per_worker": 1, "micro_batch": None, **of_its_nodes}
    )
