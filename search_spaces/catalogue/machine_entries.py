"""Define the entries of the catalogue that describe machines: what a trial asks for, and GPUs."""

from __future__ import annotations

from typing import Annotated, assert_never

from pydantic import Field

from search_spaces.catalogue.entries import Entry, StageResources
from search_spaces.node_labels import accelerator_type
from search_spaces.resource_spec import ResourceSpec
from search_spaces.spec import Positive, Precision


class ResourcesEntry(ResourceSpec):
    """What a trial runs on, under a name."""

    source: str | None = None
    """What it is made for, and what that rests on."""
    stages: dict[str, StageResources] = Field(default_factory=dict)
    """Stage name -> what differs there."""


class GpuEntry(Entry):
    """A GPU: what fits on it, and how fast it is on paper."""

    source: str
    """Where these facts come from."""
    names: Annotated[tuple[str, ...], Field(min_length=1)]
    """Parts of the name that the driver reports; the first entry with a fitting one is taken."""
    memory_bytes: Positive
    """What the driver reports as total."""
    bf16_tflops: Annotated[float, Field(gt=0)] | None = None
    """Dense peak of bf16 matrix units with fp32 accumulation; none before Ampere."""
    fp32_tflops: Annotated[float, Field(gt=0)]
    """Peak of plain fp32, as torch uses by default."""
    reached: Annotated[float, Field(gt=0, le=1)]
    """Share of the peak that training reaches: MFU of the positions that are computed, padding included."""

    @property
    def accelerator_type(self) -> str:
        """The kind of accelerator that Ray's label of a node names it."""
        return accelerator_type(f"NVIDIA {self.names[0]}")

    def tflops(self, precision: Precision) -> float | None:
        """Return the peak of matrix products in a precision; None where the GPU has no units for it."""
        match precision:
            case "fp32":
                return self.fp32_tflops
            case "bf16":
                return self.bf16_tflops
            case _:
                assert_never(precision)
