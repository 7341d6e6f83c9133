"""Define the training recipes of the catalogue: stages as patches of the fields of a stage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, model_validator

from search_spaces.catalogue.entries import Entry, NonEmpty
from search_spaces.errors import InputError
from search_spaces.spec import (
    LoraSpec,
    Module,
    OptimizerSpec,
    PackingSpec,
    Positive,
    Precision,
    PromptStyle,
    ScheduleSpec,
    Spec,
)


class OptimizerPatch(OptimizerSpec):
    """Fields of an optimizer; those that are not set keep their value."""

    lr: Annotated[float, Field(gt=0)] = 1e-3  # never read: a patch is what was set


class StagePart(Entry, ABC):
    """Fields of a part that a stage may have or not. An error is shown at the first field that is set."""

    @abstractmethod
    def complete(self, stage: str, trains: Sequence[Module]) -> Spec | None:
        """Make the part of a stage.

        Args:
            stage: name of the stage.
            trains: modules that it trains.

        Returns:
            The part with all its fields; None where the stage has none.

        Raises:
            InputError: the stage cannot have it; the resolver of stages adds the place.
        """


class LoraPatch(StagePart):
    """Low-rank adapters in the place of the language model's own weights."""

    rank: Positive | None = None
    """None: no adapters, whatever the other fields say."""
    alpha: Annotated[float, Field(gt=0)] | None = None
    """Weight of the adapters, divided by the rank; by default twice the rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Probability of dropping an input of the adapters while training."""
    targets: tuple[NonEmpty, ...] = ()
    """Names of the linear layers that get adapters; by default all but the output layer."""

    def complete(self, stage: str, trains: Sequence[Module]) -> LoraSpec | None:
        if self.rank is None:
            return None
        if "language" not in trains:
            raise InputError(
                f"`lora` must stand at a stage that trains the language model, but {stage!r} trains"
                f" {', '.join(trains)}",
                way_out=f"Add `language` to recipe.{stage}.trains, or leave out the adapters.",
            )
        alpha = self.alpha if self.alpha is not None else 2 * self.rank
        return LoraSpec(rank=self.rank, alpha=alpha, dropout=self.dropout, targets=tuple(sorted(set(self.targets))))


class PackingPatch(StagePart):
    """Rows that hold several records, without padding and without attention across records."""

    tokens: Positive | None = None
    """Longest row in positions, a forward pass each; None: a record is a row."""

    def complete(self, stage: str, trains: Sequence[Module]) -> PackingSpec | None:
        return None if self.tokens is None else PackingSpec(tokens=self.tokens)


class StagePatch(Entry):
    """Fields of a training stage; those that are not set keep their value."""

    trains: Annotated[tuple[Module, ...], Field(min_length=1)] | None = None
    """Modules whose weights change."""
    data: str | None = None
    """Name of a mix; by default the arm's `data`."""
    epochs: Annotated[float, Field(gt=0)] | None = None
    """Passes over the mix; fractions are allowed."""
    max_steps: Positive | None = None
    """Optimizer steps, instead of `epochs`."""
    global_batch: Positive | None = None
    """Records per optimizer step, over all workers."""
    optimizer: OptimizerPatch = OptimizerPatch()
    """Optimizer of the stage."""
    schedule: ScheduleSpec = ScheduleSpec()
    """Learning rate over the steps of the stage."""
    precision: Precision = "fp32"
    """Number format of weights and activations while training; masters and moments are fp32."""
    activation_checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them."""
    prompt: PromptStyle | None = None
    """None: the language model's own style."""
    lora: LoraPatch = LoraPatch()
    """Low-rank adapters in the place of the language model's own weights."""
    packing: PackingPatch = PackingPatch()
    """Rows that hold several records."""

    @model_validator(mode="after")
    def _one_horizon(self) -> StagePatch:
        if self.epochs is not None and self.max_steps is not None:
            raise ValueError("`epochs` and `max_steps` must not both be given")
        if self.schedule.warmup_steps is not None and self.schedule.warmup_ratio is not None:
            raise ValueError("`warmup_steps` and `warmup_ratio` must not both be given")
        return self


class RecipeEntry(Entry):
    """Definitions of training stages."""

    source: str | None = None
    """Where these facts come from."""
    stages: Annotated[dict[str, StagePatch], Field(min_length=1)]
