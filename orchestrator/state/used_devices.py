"""Tell what the cost of finished work is counted in: the devices that did it, whatever the study asks for now."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.state.stored_nodes import node_result
from search_spaces.plan import Plan
from search_spaces.quantities import Device
from trainables.storage.records import StageResult
from trainables.storage.store import Store


def devices_by_trial(plan: Plan, store: Store) -> dict[str, tuple[Device, ...]]:
    """Map every trial to the devices that trained its stages, in their order; a stage without a result has none.

    What a CPU has spent is counted in cores only where the study gives one to each worker, as results do not say it.
    """
    used: dict[str, Device] = {}
    for node in plan.nodes.values():
        result = node_result(node, store) if node.kind == "stage" else None
        if isinstance(result, StageResult) and "device" in result.provenance:
            used[node.id] = plan.cpu_device if result.provenance["device"] == "cpu" else "GPU"
    return {trial.id: tuple(used[node] for node in trial.path if node in used) for trial in plan.trials}


def common_device(plan: Plan, by_trial: Mapping[str, tuple[Device, ...]]) -> Device:
    """Return what the costs of all trials are counted in: `device` where some are of GPUs and others of CPUs.

    Args:
        plan: says what is counted in while nothing is done.
        by_trial: from `devices_by_trial`.
    """
    kinds = {device for devices in by_trial.values() for device in devices}
    if not kinds:
        return plan.device
    return kinds.pop() if len(kinds) == 1 else "device"


def device_used(plan: Plan, store: Store) -> Device:
    """Return what the costs of a study are counted in, by what its stages on storage were trained on."""
    return common_device(plan, devices_by_trial(plan, store))
