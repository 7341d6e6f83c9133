"""Plan the toy study of the drill for worker groups of several shapes, on a storage that holds its data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.planning.planned import PlanOptions, expand, plan
from orchestrator.planning.preflight import preflight
from orchestrator.running.tasks import make_task
from search_spaces.plan import Plan
from search_spaces.resource_spec import CheckpointForm
from search_spaces.study_files import load_study
from trainables.storage.store import LocalStore
from trainables.task import TrialTask

STUDY_FILE = Path(__file__).with_name("study.yaml")
CHECKPOINT_EVERY = 2
"""Steps between two checkpoints of the study."""


@dataclass(frozen=True)
class Shape:
    """Hardware that a command has for its trials."""

    workers: int = 1
    zero: int = 0
    micro_batch: int | None = None
    checkpoint_form: CheckpointForm = "wait"

    @property
    def name(self) -> str:
        """Say the shape in one word."""
        micro = "" if self.micro_batch is None else f"-micro{self.micro_batch}"
        form = "" if self.checkpoint_form == "wait" else f"-{self.checkpoint_form}"
        return f"{self.workers}w-zero{self.zero}{micro}{form}"

    @property
    def most_steps_lost(self) -> int:
        """Steps that a kill costs at most: in the background the newest checkpoint may be the one before."""
        return CHECKPOINT_EVERY * (1 if self.checkpoint_form == "wait" else 2)

    def overrides(self) -> tuple[str, ...]:
        """List the `--set` arguments that ask for this shape."""
        micro = () if self.micro_batch is None else (f"resources.micro_batch={self.micro_batch}",)
        form = f"resources.checkpoint_copy={self.checkpoint_form}"
        return (f"resources.workers={self.workers}", f"resources.zero={self.zero}", form, *micro)


_WAITING = (Shape(), Shape(1, 2), Shape(2, 0), Shape(2, 2), Shape(1, 0, 4), Shape(2, 2, 2))

WAITING_SHAPES = tuple(shape.name for shape in _WAITING)
"""Shapes whose steps wait for their checkpoints."""

SHAPES = {
    shape.name: shape
    for shape in (*_WAITING, *(replace(shape, checkpoint_form="background") for shape in _WAITING[:4]))
}


@dataclass(frozen=True)
class PlannedShape:
    """The plan of the study for one shape, with what tasks need."""

    plan: Plan
    digests: dict[str, str]

    def task(self, trial: str, storage: Path) -> TrialTask:
        """Make the task of a trial on a storage that holds the study's data."""
        planned = next(planned for planned in self.plan.trials if planned.id == trial)
        return make_task(self.plan, planned, self.digests, storage, storage / "sources")


def planned_shape(shape: Shape, storage: Path) -> PlannedShape:
    """Plan the study for a shape; its data are prepared on the storage."""
    options = PlanOptions(storage, storage / "sources", shape.overrides(), features="cache")
    expansion = expand(load_study(str(STUDY_FILE), options.overrides), options)
    known = preflight(
        expansion.specs(), expansion.evaluation_sets, LocalStore(storage), options.data, lambda text: None
    )
    return PlannedShape(plan(expansion, options, known), known.digests)
