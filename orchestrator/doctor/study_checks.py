"""Judge the facts of a study."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.doctor.facts import StudyFacts
from orchestrator.doctor.findings import Finding
from orchestrator.doctor.gpu_checks import check_locked_memory
from search_spaces.quantities import bytes_text, number_of
from trainables.compile_tools import TOOLS_WAY_OUT

MOST_NAMED = 3


def check_plan(facts: StudyFacts) -> Finding:
    """Judge whether the study can be planned."""
    if facts.error is not None:
        law, *rest = facts.error.splitlines()
        return Finding("study", "fails", law, " ".join(filter(None, rest)) or None)
    says = f"{facts.name}: {number_of(facts.trials, 'trial')}, {facts.done:,} done"
    return Finding("study", "right", says)


def check_data(facts: StudyFacts) -> Finding | None:
    """Judge whether data and weights are where the study says."""
    if facts.error is not None:
        return None
    if facts.missing:
        says = f"{number_of(len(facts.missing), 'input')} cannot be found: {_some(facts.missing)}"
        return Finding("study", "fails", says, "Put them there, or name another folder with --data or ABLATE_DATA.")
    if facts.fetched:
        says = f"not on this machine, fetched by the run: {_some(facts.fetched)}"
        return Finding("study", "unknown", says, "Without a network, put a copy below DATA/hub/ORG/NAME.")
    first = f"; the run reads {_some(facts.unread)} first" if facts.unread else ""
    return Finding("study", "right", f"data and weights are there{first}")


def check_study_room(facts: StudyFacts) -> Finding | None:
    """Judge whether the storage has room for what is left of the study."""
    if facts.error is not None or facts.free_bytes is None:
        return None
    if facts.need_bytes is None:
        return Finding("study", "unknown", "its need of storage: the size of a model is not known")
    left = max(0, facts.need_bytes - facts.held_bytes)
    says = (
        f"it needs {bytes_text(left)} more of storage with one trial at a time, {bytes_text(facts.free_bytes)} are free"
    )
    if left > facts.free_bytes:
        return Finding("study", "fails", says, "`ablate gc` frees what no study needs; `ablate plan` has every stage.")
    return Finding("study", "right", says)


def check_fit(facts: StudyFacts) -> Finding | None:
    """Judge whether every trial fits into this machine, where it is to run here."""
    if facts.error is not None:
        return None
    if facts.is_elsewhere:
        return Finding("study", "unknown", "whether trials fit into the named cluster shows when a run starts")
    if facts.misfit is not None:
        way_out = "Ask for fewer workers or devices under `resources`, or give a larger cluster with --address."
        return Finding("study", "fails", f"a trial never fits into this machine: {facts.misfit}", way_out)
    return Finding("study", "right", "every trial fits into this machine")


def check_launcher(facts: StudyFacts) -> Finding | None:
    """Say who starts the workers of trials, and what that costs where it is not the default."""
    if facts.error is not None:
        return None
    return Finding("study", "right", facts.launcher_note or "launcher gang: workers serve one trial after another")


def check_memory_need(facts: StudyFacts) -> Finding | None:
    """Judge whether the largest stage or evaluation fits into memory, by the estimate of `ablate plan`."""
    if facts.error is not None or facts.is_elsewhere:
        return None
    if facts.memory_bytes is None:
        return Finding("study", "unknown", "its need of memory: the size of a model is not known")
    need = facts.memory_bytes if facts.uses_gpus else facts.memory_bytes * facts.workers
    if facts.device_bytes is None:
        return Finding("study", "unknown", f"a worker needs {bytes_text(need)} of a GPU, and none is seen here")
    gpu = "a GPU" if facts.gpu_share == 1 else f"{facts.gpu_share:g} of a GPU"
    where = f"of {gpu}" if facts.uses_gpus else "of this machine's memory"
    says = (
        f"the largest stage or evaluation needs {bytes_text(need)} {where}, which has {bytes_text(facts.device_bytes)}"
    )
    if need > facts.device_bytes:
        way_out = "Lower `resources.micro_batch`, or use more workers, ZeRO 2 or 3, or offload; see `ablate plan`."
        return Finding("study", "fails", says, way_out)
    return Finding("study", "right", says)


def check_offload(facts: StudyFacts) -> Finding | None:
    """Judge whether memory can be locked, where a study offloads from GPUs."""
    if facts.error is not None or facts.is_elsewhere or not facts.offloads:
        return None
    return check_locked_memory(facts.locked_limit_bytes)


def check_compiler(facts: StudyFacts) -> Finding | None:
    """Judge whether torch can compile here, where a study has layers compiled."""
    if facts.error is not None or not facts.compiles:
        return None
    if facts.is_elsewhere:
        return Finding("study", "unknown", "whether the cluster's nodes can compile layers shows when a stage begins")
    if facts.missing_tools:
        says = f"it has layers compiled, and this machine lacks {' and '.join(facts.missing_tools)}"
        return Finding("study", "fails", says, TOOLS_WAY_OUT)
    return Finding("study", "right", "it has layers compiled, and what torch needs for that is there")


def check_lost_work(facts: StudyFacts) -> Finding | None:
    """Say what a kill costs."""
    if facts.error is not None:
        return None
    begun = f" {number_of(facts.begun, 'stage')} of it will go on from a checkpoint." if facts.begun else ""
    return Finding("study", "right", f"{facts.lost_work}{begun}")


def _some(names: Sequence[str]) -> str:
    more = f"; and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return "; ".join(names[:MOST_NAMED]) + more
