"""Sum up a plan in what decides whether to run it: its size, what storage has, time and disk, what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.fit import NodeResources, impossible, this_machine
from orchestrator.analysis.number_text import listed
from orchestrator.analysis.plan_power import HypothesisPower
from orchestrator.planning.durations import durations
from orchestrator.planning.estimates import Assumptions, estimates, peak_disk, used_gpus
from orchestrator.planning.evaluation_estimates import evaluation_estimates
from orchestrator.planning.inputs_check import FoundInputs, find_inputs
from orchestrator.planning.lower_bound import Piece, lower_bound_s
from orchestrator.planning.plan_json import Totals, totals
from orchestrator.running.tasks import remaining_work, requests_by_arm
from orchestrator.state.ledger import TrialState, gpu_seconds, read_ledger
from search_spaces.plan import Plan
from trainables.storage.store import LocalStore


@dataclass(frozen=True)
class WallTime:
    """Seconds until all work is done on a machine whose devices are never idle while there is work."""

    expected_s: float
    low_s: float
    high_s: float


@dataclass(frozen=True)
class PlanSummary:
    """What somebody wants to know of a plan before running it."""

    plan: Plan
    storage: Path
    is_storage_empty: bool
    totals: Totals
    states: Mapping[TrialState, int]
    """State on storage -> its trials."""
    machine: tuple[NodeResources, ...]
    wall: WallTime | None
    """On this machine; None where some arm does not fit into it."""
    unfit: dict[str, str]
    """Arm -> why this machine cannot run it."""
    gpu: str
    """That hours and memory are for."""
    gpu_hours: float | None
    """Of all stages that are not done; None without GPUs, and while some size or number of steps is not known."""
    spent_gpu_hours: float
    """Of all trials that are done."""
    budget_gpu_hours: float | None
    """That the study may spend in all; None without a limit."""
    disk_bytes: int | None
    """Most bytes on storage; None while the size of some model is not known."""
    inputs: FoundInputs
    powers: tuple[HypothesisPower, ...]
    too_large: tuple[str, ...]
    """Stages and evaluations that do not fit into the GPU, each with what would."""


def plan_summary(
    plan: Plan,
    store: LocalStore,
    data_root: Path,
    assumed: Assumptions,
    powers: Sequence[HypothesisPower],
    budget_gpu_hours: float | None = None,
) -> PlanSummary:
    """Sum up a plan on its storage and this machine. Data and weights are looked for, not read.

    Args:
        plan: of the study.
        store: that has, or will have, its results.
        data_root: folder in which relative paths of sources and weights start.
        assumed: the GPU that hours and memory are for.
        powers: what the hypotheses of the study can decide.
        budget_gpu_hours: what the study may spend in all; None for no limit.
    """
    ledger, machine = read_ledger(plan, store), this_machine()
    unfit = impossible(requests_by_arm(plan), machine)
    by_node = estimates(plan, assumed)
    left = [estimate for node, estimate in by_node.items() if node not in ledger.done_nodes]
    hours = [None if estimate is None else estimate.gpu_hours for estimate in left]
    known_hours = [each for each in hours if each is not None]
    pieces = durations(plan, ledger, store, assumed)
    parts = {tuple(map(id, (spec.stages, spec.language, spec.vision))): spec for spec in (t.spec for t in plan.trials)}
    notes = dict.fromkeys(f"{each.stage.name}: {each.note}" for each in by_node.values() if each and each.note)
    evaluations = evaluation_estimates(plan, assumed).values()
    notes |= dict.fromkeys(f"evaluation: {each.note}" for each in evaluations if each and each.note)
    done = ledger.done_nodes
    work = remaining_work(plan, ledger, {node: piece.seconds for node, piece in pieces.items()})

    def wall_s(bound: str) -> float:
        chains = [
            [Piece(node, getattr(pieces[node], bound), item.request) for node in item.path if node not in done]
            for item in work
        ]
        return lower_bound_s(chains, machine)

    return PlanSummary(
        plan=plan,
        storage=store.root,
        is_storage_empty=not store.root.exists() or not any(store.root.iterdir()),
        totals=totals(plan),
        states=ledger.counts(),
        machine=machine,
        wall=None if unfit else WallTime(wall_s("seconds"), wall_s("low"), wall_s("high")),
        unfit=unfit,
        gpu=listed(each.gpu for each in used_gpus(plan, assumed)),
        gpu_hours=sum(known_hours) if known_hours and len(known_hours) == len(hours) else None,
        spent_gpu_hours=gpu_seconds(ledger) / 3600,
        budget_gpu_hours=budget_gpu_hours,
        disk_bytes=peak_disk(plan, by_node),
        inputs=find_inputs(list(parts.values()), plan.evaluation_sets, set(plan.digests), data_root),
        powers=tuple(powers),
        too_large=tuple(notes),
    )
