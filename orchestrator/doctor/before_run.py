"""Say what this machine lacks for the trials of a run, before the first of them begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from orchestrator.doctor.facts import MachineFacts
from orchestrator.doctor.findings import Finding
from orchestrator.doctor.gpu_checks import check_driver, check_locked_memory, check_peers, check_shared_memory
from orchestrator.doctor.machine_facts import machine_facts
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from search_spaces.resource_spec import ResourceSpec
from trainables.compile_tools import TOOLS_WAY_OUT, missing_compile_tools


def tell_gpu_troubles(plan: Plan, tell: Callable[[str], None]) -> None:
    """Tell, a line each, what this machine lacks for the GPUs that a plan asks for; nothing is looked at without any.

    Args:
        plan: whose trials are to run on this machine.
        tell: shows a line to people.
    """
    requests = [request for arm in plan.arms for request in arm.requests]
    on_gpus = [request for request in requests if request.gpus_per_worker]
    if on_gpus:
        for finding in gpu_troubles(on_gpus, machine_facts()):
            tell(f"{finding.says}. {finding.way_out}")


def refuse_without_compiler(plan: Plan) -> None:
    """Refuse a plan that has layers compiled where this machine lacks what torch needs for that.

    Args:
        plan: whose trials are to run on this machine.

    Raises:
        InputError: naming what is missing.
    """
    requests = [request for arm in plan.arms for request in arm.requests if request.compile]
    if not requests:
        return
    missing = missing_compile_tools(uses_gpus=any(request.gpus_per_worker for request in requests))
    if missing:
        law = f"compile needs {' and '.join(missing)}, which this machine lacks"
        raise InputError(law, key="resources.compile", way_out=TOOLS_WAY_OUT)


def gpu_troubles(requests: list[ResourceSpec], facts: MachineFacts) -> Iterator[Finding]:
    """Judge what requests for GPUs rest on: the driver; for several workers NCCL's ways; for offloading locked memory.

    Args:
        requests: for GPUs, of arms and stages.
        facts: of the machine that they are to run on.
    """
    findings = [check_driver(facts)]
    if any(request.workers > 1 for request in requests):
        findings += [check_peers(facts), check_shared_memory(facts)]
    if any(request.offloaded for request in requests):
        findings.append(check_locked_memory(facts.locked_limit_bytes))
    return (finding for finding in findings if finding is not None and finding.state != "right")
