"""Estimate what each stage of a plan would take: memory, operations, GPU-hours, disk, and under which assumptions."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from cluster.cost import TEXT_TOKENS, Disk, Operations, gpu_hours, operations, stage_disk
from cluster.memory import Memory, nearest_fitting, stage_memory
from cluster.padding import MeasuredTexts, padding
from orchestrator.planning.text_lengths import MeasuredMixes
from search_spaces.catalogue.load import shipped
from search_spaces.catalogue.machine_entries import GpuEntry
from search_spaces.errors import InputError, nearest
from search_spaces.identity import Memo, source_name
from search_spaces.plan import Node, Plan, PlannedTrial
from search_spaces.resource_spec import ResourceSpec
from search_spaces.resources import accumulation, micro_batch
from search_spaces.sizes import ModelSize
from search_spaces.spec import Module, StageSpec
from search_spaces.trained_sizes import trained_parameters

DEFAULT_GPU = "h100"


@dataclass(frozen=True)
class Assumptions:
    """Assumptions that no study states; they are shown beside every number that rests on them."""

    gpu: str = DEFAULT_GPU
    mfu: float | None = None
    """Share of its peak that the GPU reaches on the positions that it computes; None for what the catalogue says."""
    text_tokens: int = TEXT_TOKENS
    """Mean length of a text. Memory is for the longest that the language model takes, `max_length`."""
    measured: MeasuredMixes | None = None
    """Lengths of texts that were measured, which hold before the mean; None where all are assumed."""
    there: tuple[str, ...] = ()
    """GPUs of the cluster that is planned for, by their names in the catalogue; empty where none is known."""
    is_for_all: bool = False
    """Whether trials that ask for another kind of GPU are reckoned with this one, too."""

    @staticmethod
    def of(gpu: str | None, mfu: float | None, text_tokens: int | None) -> Assumptions:
        """Fill in the defaults of what the command line leaves out.

        Args:
            gpu: a name of the catalogue.
            mfu: model FLOPs utilisation, in (0, 1], padding included.
            text_tokens: mean length of a text.

        Raises:
            InputError: for a GPU that the catalogue does not have.
        """
        legal = list(shipped().gpus)
        if gpu is not None and gpu not in legal:
            law = f"must be one of {', '.join(legal)}, but got {gpu!r}"
            raise InputError(law, key="--gpu", way_out=nearest(gpu, legal))
        return Assumptions(gpu or DEFAULT_GPU, mfu, text_tokens or TEXT_TOKENS)

    @property
    def entry(self) -> GpuEntry:
        return shipped().gpus[self.gpu]

    @property
    def reached(self) -> float:
        """Share of the peak that is reached: the user's, or the catalogue's."""
        return self.mfu or self.entry.reached

    def on(self, resources: ResourceSpec) -> Assumptions:
        """Return the assumptions for a trial of these resources: of the kind of GPU that it asks for, if it asks.

        That of the cluster comes first, then this one's, then the first of the catalogue.
        """
        if self.is_for_all:
            return self
        kind, known = resources.accelerator, shipped().gpus
        fitting = [name for name in (*self.there, self.gpu, *known) if known[name].accelerator_type == kind]
        return replace(self, gpu=fitting[0]) if fitting else self

    def bytes_for(self, resources: ResourceSpec) -> int:
        """Return the bytes of the GPU that a worker of these resources may take."""
        return int(resources.gpu_share * self.entry.memory_bytes)

    def lack(self, memory: Memory, resources: ResourceSpec) -> str:
        """Say that memory does not fit, and which share of the GPU would hold it where a worker has a part of one."""
        says = f"needs {memory.total / 1e9:.0f} GB of {self.gpu}'s {self.bytes_for(resources) / 1e9:.0f}"
        if resources.gpu_share == 1:
            return says
        share = math.ceil(100 * memory.total / self.entry.memory_bytes) / 100
        held = f"`gpus_per_worker: {share:g}` would hold it" if share <= 1 else "nor does it fit the whole GPU"
        return f"{says} at gpus_per_worker {resources.gpus_per_worker:g}; {held}"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one stage would take."""

    stage: StageSpec
    """The first of those that take the same: they share one estimate."""
    resources: ResourceSpec
    parameters: Mapping[Module, int]
    """Module -> its parameters."""
    trained: int
    memory: Memory
    disk: Disk
    operations: Operations
    text_tokens: int
    """Mean length of a text."""
    is_measured: bool
    """Whether lengths of texts, and so padding, are those that `ablate data stats` has measured."""
    padding: float
    """Positions computed for each one needed (`cluster.padding`)."""
    mfu: float | None
    """Share of the GPU's peak that goes into needed positions; None without GPUs."""
    gpu_hours: float | None
    """None without GPUs, and while steps are not known."""
    fits: bool | None
    """On the assumed GPU; None without GPUs."""
    note: str | None
    """What would fit, or why nothing can."""

    @property
    def total(self) -> int:
        return sum(self.parameters.values())

    @property
    def micro_batch(self) -> int:
        return micro_batch(self.stage, self.resources)

    @property
    def accumulation(self) -> int:
        return accumulation(self.stage, self.resources)


def used_gpus(plan: Plan, assumed: Assumptions) -> tuple[Assumptions, ...]:
    """List the assumptions of each GPU that the trials of a plan are reckoned with; the given ones without GPUs."""
    used = {
        assumed.on(each).gpu: assumed.on(each) for arm in plan.arms for each in arm.requests if each.gpus_per_worker
    }
    return tuple(used.values()) or (assumed,)


def estimates(plan: Plan, assumed: Assumptions) -> dict[str, Estimate | None]:
    """Estimate every stage of a plan, by node id; None where the size of its model is not known."""
    estimator = _Estimator(plan, assumed)
    return {node.id: estimator.estimate(node) for node in plan.nodes.values() if node.kind == "stage"}


class _Estimator:
    """Estimator of the stages of one plan: those that differ in nothing that takes anything share an estimate."""

    def __init__(self, plan: Plan, assumed: Assumptions):
        self._plan, self._assumed = plan, assumed
        self._arms = {arm.name: arm for arm in plan.arms}
        self._trials = {trial.id: trial for trial in plan.trials}
        self._memo = Memo()

    def estimate(self, node: Node) -> Estimate | None:
        """Estimate the stage of a node; None where the size of its model is not known."""
        trial = self._trials[node.trials[0]]
        arm, stage = self._arms[trial.arm], _stage(self._plan, trial, node)
        size, resources = arm.size, arm.resources_of(stage.name)
        if size is None:
            return None
        longest, cached = trial.spec.language.max_length, self._is_cached(trial, stage)
        texts = self._texts(trial, stage)
        return self._memo.of(
            "estimate",
            (size, resources, texts),
            lambda: _estimate(size, stage, resources, node.steps, longest, cached, self._assumed.on(resources), texts),
            (*_what_takes(stage), node.steps, longest, cached),
        )

    def _texts(self, trial: PlannedTrial, stage: StageSpec) -> MeasuredTexts | None:
        """Look up the measured lengths of the texts of a stage."""
        measured, language = self._assumed.measured, trial.spec.language
        if measured is None:
            return None
        style = stage.prompt or language.prompt
        look_up = partial(measured.texts, stage.data, language, style)
        return self._memo.of("texts", (stage.data, language), look_up, style)

    def _is_cached(self, trial: PlannedTrial, stage: StageSpec) -> bool:
        """Tell whether the features of all images that a stage trains on come from a cache."""
        cached = {source for name in trial.path for source in self._plan.nodes[name].sources}
        parts = stage.data.parts
        return self._memo.of("sources", (parts,), lambda: {source_name(part.source) for part in parts}) <= cached


def _stage(plan: Plan, trial: PlannedTrial, node: Node) -> StageSpec:
    nodes = [stage.id for stage in trial.stage_nodes(plan)]
    return trial.spec.stages[nodes.index(node.id)]


def _what_takes(stage: StageSpec) -> tuple[Hashable, ...]:
    """Return what memory, disk and operations follow from, but for texts: learning rates and schedules take nothing."""
    return (
        stage.name,
        stage.trains,
        stage.global_batch,
        stage.precision,
        stage.activation_checkpointing,
        stage.packing,
        stage.lora,
        stage.optimizer.states,
    )


def _estimate(
    size: ModelSize,
    stage: StageSpec,
    resources: ResourceSpec,
    steps: int | None,
    longest: int,
    cached: bool,
    assumed: Assumptions,
    texts: MeasuredTexts | None,
) -> Estimate:
    text_tokens = min(assumed.text_tokens, longest) if texts is None else max(1, round(texts.mean(longest)))
    memory = stage_memory(size, stage, resources, longest, cached)
    work = operations(size, stage, text_tokens, cached)
    padded = padding(size, stage, resources, text_tokens, longest, texts)
    hours, fits, note = None, None, None
    if resources.gpus_per_worker:
        gpu = assumed.entry
        peak = gpu.tflops(stage.precision)
        available = assumed.bytes_for(resources)
        fits = memory.total <= available
        if peak is None:
            note = f"{assumed.gpu} has no bf16; choose another GPU, or `precision: fp32` (another experiment)"
        elif steps is not None:
            hours = gpu_hours(padded * work.model, steps * stage.global_batch, peak, assumed.reached)
        if not fits and note is None:
            change = nearest_fitting(size, stage, resources, longest, cached, available)
            would = (
                f"the nearest that fits: {change}" if change else "no ZeRO stage, micro-batch or offload makes it fit"
            )
            note = f"{assumed.lack(memory, resources)}; {would}"
    return Estimate(
        stage=stage,
        resources=resources,
        parameters=size.parameters,
        trained=trained_parameters(size, stage),
        memory=memory,
        disk=stage_disk(size, stage, steps),
        operations=work,
        text_tokens=text_tokens,
        is_measured=texts is not None,
        padding=padded,
        mfu=assumed.reached / padded if resources.gpus_per_worker else None,
        gpu_hours=hours,
        fits=fits,
        note=note,
    )


def peak_disk(plan: Plan, by_node: Mapping[str, Estimate | None]) -> int | None:
    """Estimate the most bytes on storage, with one trial at a time; None while the size of some model is not known.

    Counted are caches, what finished stages leave (once, however many trials share it), and the step checkpoints of the
    largest stage.
    """
    known = [estimate for estimate in by_node.values() if estimate is not None]
    if len(known) < len(by_node):
        return None
    features = sum(node.bytes or 0 for node in plan.nodes.values() if node.kind == "features")
    running = max((estimate.disk.running - estimate.disk.handed_on for estimate in known), default=0)
    return features + sum(estimate.disk.handed_on for estimate in known) + running


def refuse_beyond_budget(plan: Plan, assumed: Assumptions | None = None) -> None:
    """Refuse a plan whose peak on storage is beyond the budget of its study, as far as the peak is known.

    Raises:
        InputError: that names both.
    """
    if plan.disk_budget_bytes is None:
        return
    peak = peak_disk(plan, estimates(plan, assumed or Assumptions()))
    if peak is not None and peak > plan.disk_budget_bytes:
        raise InputError(
            f"must be at least what the study needs at its peak, {peak / 1e9:,.1f} GB with one trial at a time, but is "
            f"{plan.disk_budget_bytes / 1e9:,g} GB",
            key="storage.budget_gb",
            way_out="Raise it, or take arms or seeds out of the study; `ablate plan` has the disk of every stage.",
        )


def estimate_json(estimate: Estimate | None) -> dict[str, Any]:
    """Make the fields that an estimate adds to a stage in `plan --json`: null where it is not known."""
    if estimate is None:
        return dict.fromkeys(
            (
                *("parameters", "memory", "disk", "operations_per_record"),
                *("texts", "padding", "mfu", "gpu_hours", "fits", "note"),
            )
        )
    return {
        "parameters": {"total": estimate.total, "trained": estimate.trained, "modules": dict(estimate.parameters)},
        "memory": memory_json(estimate.memory),
        "disk": {"step_checkpoint": estimate.disk.step_checkpoint, "handed_on": estimate.disk.handed_on},
        "operations_per_record": {**_plain(estimate.operations), "model": estimate.operations.model},
        "batch": {
            "global": estimate.stage.global_batch,
            "micro": estimate.micro_batch,
            "accumulation": estimate.accumulation,
            "workers": estimate.resources.workers,
        },
        "texts": {"tokens": estimate.text_tokens, "lengths": "measured" if estimate.is_measured else "assumed"},
        "padding": estimate.padding,
        "mfu": estimate.mfu,
        "gpu_hours": estimate.gpu_hours,
        "fits": estimate.fits,
        "note": estimate.note,
    }


def memory_json(memory: Memory) -> dict[str, int]:
    """Make the fields of a worker's memory: its parts, and their total on the GPU."""
    return {**_plain(memory), "total": memory.total}


def _plain(value: Memory | Operations) -> dict[str, int]:
    return {field.name: getattr(value, field.name) for field in fields(value)}
