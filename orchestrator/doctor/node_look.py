"""Look, on the node that is asked, for what trials need there beside storage and interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from search_spaces.error_text import first_line
from search_spaces.resource_spec import ResourceSpec
from trainables.model.weights_on_node import ExpectedWeights, compare_weights


@dataclass(frozen=True)
class FoundThere:
    """What a node has for trials."""

    lacking: tuple[str, ...] = ()
    """Checkpoints that are not there as expected, each with what is wrong and a way out."""
    fetched: tuple[str, ...] = ()
    """Origins of checkpoints that the first trial there fetches."""
    troubles: tuple[str, ...] = ()
    """What its GPUs lack, a sentence or two each."""


def look_there(weights: Sequence[ExpectedWeights], data_root: Path, on_gpus: Sequence[ResourceSpec]) -> FoundThere:
    """Look for checkpoints, and for what trials on GPUs rest on: driver, peer access, shared and locked memory.

    Args:
        weights: checkpoints, as they are where the run was started.
        data_root: folder in which relative paths of weights start.
        on_gpus: requests for GPUs that fit this node; none where it is not to be looked at.
    """
    found = compare_weights(weights, data_root)
    return FoundThere(found.lacking, found.fetched, _gpu_troubles(on_gpus) if on_gpus else ())


def _gpu_troubles(on_gpus: Sequence[ResourceSpec]) -> tuple[str, ...]:
    """Say what this machine lacks for requests for GPUs; also where that cannot be told, as no trial rests on it."""
    from orchestrator.doctor.before_run import gpu_troubles
    from orchestrator.doctor.machine_facts import machine_facts

    try:
        return tuple(f"{each.says}. {each.way_out}" for each in gpu_troubles(list(on_gpus), machine_facts()))
    except Exception as error:  # of drivers, and of libraries that ask them
        return (f"its GPUs cannot be looked at: {first_line(error)}",)
