"""Represent the plan of a study: arms, trials, and the graph of work in which equal work is one node."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from search_spaces.identity import Memo, needed_digests, source_name
from search_spaces.quantities import Device
from search_spaces.resource_spec import ResourceSpec
from search_spaces.sizes import ModelSize
from search_spaces.spec import BenchmarkSpec, TrialSpec

NodeKind = Literal["features", "stage", "evaluation"]
"""The kinds of work: features of an encoder, a training stage, the evaluation of a trained model."""


@dataclass(frozen=True, slots=True)
class Arm:
    """Complete configuration without a seed."""

    id: str
    """First 12 hex digits of the fingerprint of its difference-free specification; no seed in it."""
    name: str
    difference: dict[str, Any]
    """Dotted path in the study's `base` -> value of this arm, for what differs from the base."""
    values: dict[str, str]
    """Axis -> label of this arm's value, for every axis of the study (the base's label where it does not differ)."""
    resources: ResourceSpec
    note: str | None = None
    stage_resources: dict[str, ResourceSpec] = field(default_factory=dict)
    """Stage name -> its resources, where they are not the arm's."""
    by_axes: bool = True
    """Whether `values` is all that it differs in from the base. A named arm that differs in more, or has a value that
    no axis lists, is no point of an axis: it goes by its name, and no effect of an axis is estimated from it."""
    size: ModelSize | None = None
    """Size of the model, for memory and cost; None where facts of the model are not known."""

    @property
    def requests(self) -> tuple[ResourceSpec, ...]:
        """Resources that the arm asks for, and those of its stages that ask for others."""
        return self.resources, *self.stage_resources.values()

    def resources_of(self, stage: str) -> ResourceSpec:
        """Return the resources of a stage of this arm."""
        return self.stage_resources.get(stage, self.resources)


@dataclass(frozen=True, slots=True)
class Node:
    """Piece of work of a plan. Trials that need the same node share it."""

    id: str
    kind: NodeKind
    key: str | None
    """Content key on storage; None while digests that it needs are unknown (see `missing`). None for evaluations."""
    name: str
    steps: int | None
    after: str | None
    """Id of the node that must be done before, on every path this node is on."""
    trials: tuple[str, ...]
    missing: tuple[str, ...] = ()
    bytes: int | None = None
    """Of `features`: size of the cache, or the most it can be while images are not counted."""
    sources: tuple[str, ...] = ()
    """Of `features`: names (`identity.source_name`) of all sources whose images these are."""
    approximate: bool = False
    """Of stages: the steps follow from rounded counts and will be settled by the data."""


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """Arm with a seed, and the work that it needs."""

    id: str
    arm: str
    """Name of the arm."""
    seed: int
    spec: TrialSpec
    path: tuple[str, ...]
    """Ids of the nodes this trial needs, in the order in which it does them: features, stages, evaluation."""

    def stage_nodes(self, plan: Plan) -> tuple[Node, ...]:
        """Return the nodes of the trial's training stages, in order."""
        return tuple(node for node in map(plan.nodes.__getitem__, self.path) if node.kind == "stage")


@dataclass(frozen=True)
class Exclusion:
    """Arm that the study leaves out."""

    arm: str
    reason: str


@dataclass(frozen=True)
class BlindRun:
    """Whether the benchmarks are asked again without their own images, and why."""

    sets: tuple[BenchmarkSpec, ...] = ()
    """Every benchmark with blank images, then with swapped ones; none where there is no blind run."""
    is_declared: bool = False
    """Whether the study says so. Then trials without these scores are not done; else such scores are made where a trial
    is run anyway, and no trial that is done is opened again for them."""
    reason: str = ""
    """Why it is on or off, in words."""


@dataclass(frozen=True)
class Plan:
    """Arms, trials and work of a study: `ablate plan` shows it, `ablate run` does it."""

    study: str
    question: str
    digest: str
    """Fingerprint of the resolved study."""
    arms: tuple[Arm, ...]
    """The base first, if it is an arm; then in file order."""
    trials: tuple[PlannedTrial, ...]
    """In plan order: seeds of the base first, then arm by arm."""
    nodes: dict[str, Node]
    benchmarks: tuple[BenchmarkSpec, ...]
    axes: tuple[str, ...]
    base: str | None
    """Name of the arm that the others are differences from; None if it is excluded or beyond the limit."""
    samples: tuple[BenchmarkSpec, ...] = ()
    """Answered like benchmarks and kept for the report; no part of any mean, contrast or verdict."""
    blind: BlindRun = BlindRun()
    """What is asked without its own images; no part of any mean, contrast or verdict."""
    benchmark_keys: dict[str, str | None] = field(default_factory=dict)
    """Name of an evaluation set -> its key (`identity.benchmark_key`); None while its data are not known."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Content digests of data and weights that the plan was made with, by `identity.source_name` and `weights_name`."""
    excluded: tuple[Exclusion, ...] = ()
    others: frozenset[str] = frozenset()
    """Ids of the study's trials that were not selected: storage may hold them, and they are not gone."""
    added_seeds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Arm -> replicates that the study file does not have: an earlier run on the storage has added them."""
    disk_budget_bytes: int | None = None
    """Most bytes of stages, features, histories and logs that the study wants on storage; None for no limit."""
    notes: tuple[str, ...] = field(default=())
    """Facts worth a line, such as pixels that no patch covers or resources that this machine does not have."""

    def seeds_by_arm(self) -> dict[str, tuple[int, ...]]:
        """Map the arms that have a trial to the seeds of their trials, in plan order."""
        seeds: dict[str, tuple[int, ...]] = {}
        for trial in self.trials:
            seeds[trial.arm] = (*seeds.get(trial.arm, ()), trial.seed)
        return seeds

    def common_seeds(self, arms: Iterable[str]) -> list[int]:
        """List the seeds that all of these arms have trials of, sorted."""
        seeds = self.seeds_by_arm()
        return sorted(set.intersection(*(set(seeds.get(arm, ())) for arm in arms)))

    def narrowed(self, trials: Collection[str]) -> Plan:
        """Keep some of the trials, with their arms and their work; the rest are `others`.

        Args:
            trials: ids of those that stay.
        """
        kept = tuple(trial for trial in self.trials if trial.id in trials)
        arms = {trial.arm for trial in kept}
        needed = {node for trial in kept for node in trial.path}
        return replace(
            self,
            arms=tuple(arm for arm in self.arms if arm.name in arms),
            trials=kept,
            nodes={
                name: replace(node, trials=tuple(trial for trial in node.trials if trial in trials))
                for name, node in self.nodes.items()
                if name in needed
            },
            base=self.base if self.base in arms else None,
            others=self.others | {trial.id for trial in self.trials if trial.id not in trials},
        )

    @property
    def device(self) -> Device:
        """What costs of work to come are counted in: GPUs where any are asked for, else `cpu_device`."""
        return "GPU" if any(arm.resources.gpus_per_worker for arm in self.arms) else self.cpu_device

    @property
    def cpu_device(self) -> Device:
        """What costs of work on CPUs are counted in: cores, or workers where some has not one core."""
        return "core" if all(arm.resources.cpus_per_worker == 1 for arm in self.arms) else "worker"

    def needed_digests(self) -> dict[str, str]:
        """Select the digests that the keys of its stages and scores are made of, as far as they are known, sorted."""
        memo = Memo()
        names = {source_name(asked.source) for asked in self.evaluation_sets}
        for trial in self.trials:
            names.update(needed_digests(trial.spec, len(trial.spec.stages) - 1, memo))
        return {name: self.digests[name] for name in sorted(names & self.digests.keys())}

    @property
    def evaluation_sets(self) -> tuple[BenchmarkSpec, ...]:
        """Evaluation sets that a trained model answers, in that order: benchmarks, samples, the blind run."""
        return (*self.benchmarks, *self.samples, *self.blind.sets)

    @property
    def required_sets(self) -> tuple[BenchmarkSpec, ...]:
        """Evaluation sets without whose scores a trial is not done."""
        return self.evaluation_sets if self.blind.is_declared else (*self.benchmarks, *self.samples)
