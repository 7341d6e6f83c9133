"""Describe a worker's task, and its place in the worker group."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from search_spaces.identity import features_key
from search_spaces.resource_spec import ResourceSpec
from search_spaces.spec import BenchmarkSpec, Positive, SourceSpec, TrialSpec
from search_spaces.worker_contract import Device
from trainables.storage.store import LocalStore, Store


class FeaturesTask(BaseModel):
    """Task of caching the features of one source's images, before the stages that read them."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    node: str
    key: str
    source: str
    """Name of a source that has these images (`search_spaces.identity.source_name`)."""


class StageTask(BaseModel):
    """Task of training one stage."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    node: str
    key: str
    steps: int
    resources: ResourceSpec
    expected_memory: tuple[tuple[int, int], ...] = ()
    """Micro-batches, this one and those that halving leads to, each with the peak bytes of one worker that the plan
    expects; empty where the model's size is not known."""
    operations_per_record: int | None = None
    """Floating-point operations of the plan, forward and backward, at its assumed length of a text; None where the
    model's size is not known."""


class TrialTask(BaseModel):
    """Task of running one trial, as plain data; the same for all workers of its group."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    study: str
    id: str
    arm: str
    trial: TrialSpec
    features: tuple[FeaturesTask, ...]
    stages: tuple[StageTask, ...]
    benchmarks: tuple[BenchmarkSpec, ...]
    samples: tuple[BenchmarkSpec, ...] = ()
    """Answered and kept like benchmarks, but no part of any mean."""
    blind: tuple[BenchmarkSpec, ...] = ()
    """The benchmarks with other images than their own: answered after all others, and no part of any mean."""
    evaluation_node: str
    digests: dict[str, str]
    storage: str
    data: str
    """Folder that relative paths of data sources start from."""
    attempt: Positive = 1
    """Number of this attempt at the trial, from 1."""
    leased: tuple[str, ...] | None = None
    """Ids of the features and stages that this attempt may produce: its run holds their leases. None where no driver
    has handed the trial out, and nobody else works on the storage."""
    question_parts: Positive = 1
    """In how many parts each batch of questions is answered: more than one where whole batches ran out of memory."""
    rehearses_with: str | None = None
    """Of a rehearsal: the storage with the data that the trial reads, while `storage` is scratch. None of a trial."""

    @model_validator(mode="after")
    def _features_are_of_a_frozen_encoder(self) -> TrialTask:
        if self.features and any("vision" in stage.trains for stage in self.trial.stages):
            raise ValueError("a trial that trains its encoder must not read features of the untrained one")
        return self

    @property
    def evaluation_sets(self) -> tuple[BenchmarkSpec, ...]:
        """Evaluation sets that the trained model answers, in that order: benchmarks, samples, the blind run."""
        return (*self.benchmarks, *self.samples, *self.blind)

    @property
    def path(self) -> tuple[str, ...]:
        """Ids of the nodes of its work, in the order in which they are done."""
        features, stages = (item.node for item in self.features), (item.node for item in self.stages)
        return (*features, *stages, self.evaluation_node)

    def during(self, done: Collection[str]) -> str:
        """Return the node that is worked on once these nodes are done; the last one if all are."""
        return next((node for node in self.path if node not in done), self.evaluation_node)

    def has_features_of(self, sources: Iterable[SourceSpec]) -> bool:
        """Check whether the features of all these sources are cached, so that the encoder itself is not needed."""
        cached = {features.key for features in self.features}
        spec = self.trial
        return all(features_key(spec.vision, source, spec.draws.init, self.digests) in cached for source in sources)


@dataclass(frozen=True)
class Context:
    """Rank, world size and device of a worker. A single process without Ray has rank 0 of 1."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    device: Device = "cpu"
    is_first_of_node: bool = False
    """Whether this worker samples its node's hardware for all workers there; rank 0 always does so for its own node."""

    def store(self, task: TrialTask) -> Store:
        """Open the storage of a trial."""
        return LocalStore(Path(task.storage))

    def data_store(self, task: TrialTask) -> Store:
        """Open the storage of the data that a trial reads."""
        return LocalStore(Path(task.rehearses_with or task.storage))
